//! Members of a group as people write them, on the command line and in a file. Pure but for the file.
//!
//! Of reps: `bo`, or `bo=2` for two turns in each round. Of options: `hello=Good morning!`, `hello*2=…`,
//! and `group:inner` for a group inside. An id has neither `=` nor `*`.

use std::path::Path;

use crate::{
    cli::{failure::Failure, names, text},
    proto::turnwise::v1::{GroupKind, GroupMember, GroupOption, group_member::Member},
};

pub(super) const HELP: &str = "\
Members of a group of reps: ana, or bo=2 for two turns in each round. Of a group of options: \
hello='Good morning!', hello*2='Hi!' for two turns, or group:inner for the next option of another \
group. In a file, a row for each: its id, and where there are such columns its payload, the group inside, \
its weight.

Examples:
  turnwise group create west --team sales ana bo=2 cem --cap 40/1d
  turnwise group create greetings --team sales --kind options hello='Good morning!' short=Hi
  turnwise group create greetings --team sales --kind options --from greetings.csv";

/// The members that were given, on the command line or in a file.
pub(super) fn given(
    team: &str,
    kind: GroupKind,
    words: &[String],
    from: Option<&Path>,
) -> Result<Vec<GroupMember>, Failure> {
    match from {
        None => words
            .iter()
            .map(|word| read(team, kind, word))
            .collect::<Result<_, _>>()
            .map_err(Failure::usage),
        Some(path) => {
            let shown = path.display();
            let bytes = std::fs::read(path)
                .map_err(|error| Failure::failed(format!("cannot read {shown}: {error}")))?;
            rows(team, kind, &bytes).map_err(|problem| {
                Failure::failed(format!("{shown}: {problem}"))
                    .advise("Nothing was sent. Correct the file and run it again.")
            })
        }
    }
}

/// Reads one member.
pub(super) fn read(team: &str, kind: GroupKind, word: &str) -> Result<GroupMember, String> {
    let is_options = kind == GroupKind::Options;
    let (head, tail) = match word.split_once('=') {
        Some((head, tail)) => (head, Some(tail)),
        None => (word, None),
    };
    let (id, weight) = match (head.split_once('*'), tail) {
        (None, Some(weight)) if !is_options => (head, Some(weight)),
        (Some((id, weight)), _) => (id, Some(weight)),
        (None, _) => (head, None),
    };
    let weight = weight.map(|weight| {
        weight.parse::<u32>().map_err(|_| match is_options {
            false => format!("`{word}` is not REP or REP=WEIGHT, such as bo=2"),
            true => format!("`{word}` is not ID=PAYLOAD or ID*WEIGHT=PAYLOAD, such as hello*2=Hi"),
        })
    });
    let payload = if is_options { tail } else { None };
    Ok(GroupMember {
        member: Some(who(team, is_options, id, payload.unwrap_or_default())?),
        weight: weight.transpose()?,
        ..GroupMember::default()
    })
}

/// Who or what an id means.
pub(super) fn who(team: &str, is_options: bool, id: &str, payload: &str) -> Result<Member, String> {
    match (is_options, id.strip_prefix("group:")) {
        (false, _) => {
            text::id(id)?;
            Ok(Member::Rep(names::rep(team, id)))
        }
        (true, Some(group)) => {
            text::id(group)?;
            Ok(Member::Group(names::group(team, group)))
        }
        (true, None) => {
            text::id(id)?;
            Ok(Member::Option(GroupOption { id: id.to_owned(), payload: payload.to_owned() }))
        }
    }
}

/// Reads a file of members.
fn rows(team: &str, kind: GroupKind, bytes: &[u8]) -> Result<Vec<GroupMember>, String> {
    let is_options = kind == GroupKind::Options;
    let mut reader = csv::Reader::from_reader(bytes);
    let header = reader.headers().map_err(|error| error.to_string())?.clone();
    let place = |column: &str| {
        // A spreadsheet's byte order mark sticks to the first name.
        header.iter().position(|name| name.trim_start_matches('\u{feff}').trim() == column)
    };
    let places = [place("id"), place("payload"), place("group"), place("weight")];
    let [id_at, payload_at, group_at, weight_at] = places;
    if id_at.is_none() && group_at.is_none() {
        let has = header.iter().collect::<Vec<_>>().join(", ");
        return Err(format!("it has no column `id`; it has: {has}"));
    }
    let mut members = Vec::new();
    for record in reader.into_records() {
        let record = record.map_err(|error| error.to_string())?;
        let line = record.position().map_or(0, csv::Position::line);
        let at = |problem: String| format!("line {line}: {problem}");
        let cell = |at: Option<usize>| at.and_then(|at| record.get(at)).unwrap_or_default();
        let id = match (cell(id_at).trim(), cell(group_at).trim()) {
            (id, "") => id.to_owned(),
            ("", group) => format!("group:{group}"),
            (_, _) => return Err(at("either an id or a group, not both".to_owned())),
        };
        let weight = match cell(weight_at).trim() {
            "" => None,
            text => Some(text.parse().map_err(|_| at(format!("`{text}` is not a weight")))?),
        };
        let member = who(team, is_options, &id, cell(payload_at)).map_err(at)?;
        members.push(GroupMember { member: Some(member), weight, ..GroupMember::default() });
    }
    Ok(members)
}

/// What the API calls a member in a list of names.
pub(super) fn api_name(member: &GroupMember) -> &str {
    match &member.member {
        Some(Member::Rep(name) | Member::Group(name)) => name,
        Some(Member::Option(option)) => &option.id,
        None => "",
    }
}

/// A member's name as one would type it: `bo`, `hello`, `group:inner`.
pub(super) fn name(member: &GroupMember) -> String {
    match &member.member {
        Some(Member::Rep(name)) => names::id(name).to_owned(),
        Some(Member::Option(option)) => option.id.clone(),
        Some(Member::Group(name)) => format!("group:{}", names::id(name)),
        None => String::new(),
    }
}

/// The same with its weight: `bo=2`, `hello*2`.
pub(super) fn show(member: &GroupMember) -> String {
    let name = name(member);
    match (member.weight, &member.member) {
        (None | Some(1), _) => name,
        (Some(weight), Some(Member::Rep(_)) | None) => format!("{name}={weight}"),
        (Some(weight), Some(Member::Option(_) | Member::Group(_))) => format!("{name}*{weight}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{read, rows, show};
    use crate::proto::turnwise::v1::{GroupKind, GroupMember, group_member::Member};

    fn payload(member: &GroupMember) -> &str {
        match &member.member {
            Some(Member::Option(option)) => &option.payload,
            Some(Member::Rep(_) | Member::Group(_)) | None => "",
        }
    }

    #[test]
    fn members_are_shown_as_they_are_typed() {
        for word in ["ana", "bo=2"] {
            assert_eq!(show(&read("t", GroupKind::Reps, word).unwrap()), word);
        }
        for (word, shown, kept) in [
            ("hello=Good morning!", "hello", "Good morning!"),
            ("hello*2=a=b", "hello*2", "a=b"),
            ("pause", "pause", ""),
            ("group:inner", "group:inner", ""),
            ("group:inner*3", "group:inner*3", ""),
        ] {
            let member = read("t", GroupKind::Options, word).unwrap();
            assert_eq!((show(&member).as_str(), payload(&member)), (shown, kept));
        }
    }

    #[test]
    fn what_is_no_member_is_refused() {
        for (kind, word, told) in [
            (GroupKind::Reps, "bo=x", "bo=2"),
            (GroupKind::Reps, "an a", "is not"),
            (GroupKind::Reps, "", "empty"),
            (GroupKind::Options, "hello*x=Hi", "hello*2=Hi"),
            (GroupKind::Options, "group:", "empty"),
        ] {
            let error = read("t", kind, word).unwrap_err();
            assert!(error.contains(told), "{word}: {error}");
        }
    }

    #[test]
    fn a_file_has_a_row_for_each_member() {
        let file = "\u{feff}id,payload,weight,group\nhello,\"Hi, you\",2,\n,,,inner\n";
        let members = rows("t", GroupKind::Options, file.as_bytes()).unwrap();
        let shown: Vec<String> = members.iter().map(show).collect();
        assert_eq!(shown, ["hello*2", "group:inner"]);
        assert_eq!(payload(&members[0]), "Hi, you");
        let reps = rows("t", GroupKind::Reps, b"id\nana\nbo\n").unwrap();
        assert_eq!(reps.iter().map(show).collect::<Vec<_>>(), ["ana", "bo"]);
        for (file, told) in [
            ("name\nana\n", "no column `id`"),
            ("id,weight\nana,x\n", "line 2"),
            ("id,group\na,b\n", "not both"),
            ("id\nan a\n", "line 2"),
        ] {
            let error = rows("t", GroupKind::Options, file.as_bytes()).unwrap_err();
            assert!(error.contains(told), "{file}: {error}");
        }
    }
}
