//! Flags that changes have in common: the request id, `--validate-only`, `--etag`, labels.

use std::{collections::BTreeMap, io::Write as _};

use serde_json::Value;

use super::failure::{Failure, to};
use crate::client::{Call, Client};

/// What every change can be asked with.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Change {
    /// Id of this change: whatever is sent again under the same one happens once [default: a fresh one]
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    pub(crate) request_id: String,
    /// Check it and show what would come of it; change nothing
    #[arg(long)]
    pub(crate) validate_only: bool,
}

impl Change {
    /// The request id of a call beside the first; a fresh one is drawn for an empty one.
    pub(crate) fn also(&self, what: impl std::fmt::Display) -> String {
        match self.request_id.as_str() {
            "" => String::new(),
            id => format!("{id}.{what}"),
        }
    }

    /// The request id of one of `count` like calls; of a single one, that given.
    pub(crate) fn numbered(&self, number: usize, count: usize) -> String {
        if count > 1 { self.also(number) } else { self.request_id.clone() }
    }

    /// Makes the call that was built with this, and says so if nothing was changed.
    pub(crate) async fn send<C: Call>(
        &self,
        client: &Client,
        request: C,
        what: String,
    ) -> Result<C::Answer, Failure> {
        let answer = client.call(request).await.map_err(to(what))?;
        self.tell();
        Ok(answer)
    }

    /// Says so if nothing was changed.
    pub(crate) fn tell(&self) {
        if self.validate_only {
            say("nothing was changed (--validate-only); this is what would come of it:");
        }
    }
}

/// The state a change is meant for.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Unchanged {
    /// Refuse it if somebody has changed this since that etag was shown
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) etag: String,
}

/// What every deletion can be asked with.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Deletion {
    /// Nothing to delete is no failure
    #[arg(long)]
    pub(crate) allow_missing: bool,
    #[command(flatten)]
    pub(crate) unchanged: Unchanged,
    #[command(flatten)]
    pub(crate) change: Change,
}

/// Labels of something new.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Labels {
    /// A mark of your own; may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = label)]
    label: Vec<(String, String)>,
}

impl Labels {
    /// As the API has them.
    pub(crate) fn map(self) -> BTreeMap<String, String> {
        BTreeMap::from_iter(self.label)
    }
}

/// Labels of something that is there.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct NewLabels {
    /// A mark of your own; may be given several times, and replaces all marks there are
    #[arg(long, value_name = "KEY=VALUE", value_parser = label)]
    label: Vec<(String, String)>,
    /// Remove all marks
    #[arg(long, conflicts_with = "label")]
    no_labels: bool,
}

impl NewLabels {
    /// What they become; `None`: they stay.
    pub(crate) fn map(self) -> Option<BTreeMap<String, String>> {
        let changed = self.no_labels || !self.label.is_empty();
        changed.then(|| BTreeMap::from_iter(self.label))
    }
}

/// Which to list.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Filter {
    /// Which ones, such as 'labels.office = "west"'; joined by AND
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) filter: String,
}

/// The fields that an update changes.
#[derive(Debug, Default)]
pub(crate) struct Mask(Vec<String>);

impl Mask {
    /// The value to send for a field: that given, which is then in the mask, or its default.
    pub(crate) fn take<T: Default>(&mut self, field: &str, given: Option<T>) -> T {
        if given.is_some() {
            self.0.push(field.to_owned());
        }
        given.unwrap_or_default()
    }

    /// As the API has it; a usage error with this advice if nothing is to change.
    pub(crate) fn finish(self, advice: &str) -> Result<Option<prost_types::FieldMask>, Failure> {
        match self.0.is_empty() {
            true => Err(Failure::usage("say what to change").advise(advice)),
            false => Ok(Some(prost_types::FieldMask { paths: self.0 })),
        }
    }
}

/// A line of talk.
pub(crate) fn say(line: &str) {
    // Where stderr is gone there is nobody to tell.
    drop(writeln!(std::io::stderr().lock(), "{line}"));
}

/// Labels as a cell.
pub(crate) fn labels(labels: &BTreeMap<String, String>) -> Value {
    labels.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect()
}

/// `KEY=VALUE`, for clap.
pub(crate) fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("not KEY=VALUE, such as office=west")?;
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::{Change, Mask};

    #[test]
    fn a_mask_holds_what_was_given_and_is_never_empty() {
        let mut mask = Mask::default();
        assert_eq!(mask.take("display_name", Some("West".to_owned())), "West");
        assert_eq!(mask.take("max_open", None::<u32>), 0);
        assert_eq!(mask.take("labels", Some(Vec::<u8>::new())), Vec::<u8>::new());
        let paths = mask.finish("").unwrap().unwrap().paths;
        assert_eq!(paths, ["display_name", "labels"]);
        assert!(Mask::default().finish("--name").is_err());
    }

    #[test]
    fn several_calls_of_one_request_id_have_ids_of_their_own_that_a_repeat_has_too() {
        let change = Change { request_id: "r".to_owned(), validate_only: false };
        assert_eq!([change.numbered(1, 2), change.numbered(2, 2)], ["r.1", "r.2"]);
        assert_eq!([change.numbered(1, 1), change.also("launch")], ["r", "r.launch"]);
        assert_eq!(Change::default().numbered(1, 2), "", "the client draws a fresh one");
    }
}
