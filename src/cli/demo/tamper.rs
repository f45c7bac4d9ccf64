//! Falsifies what the clients saw, to show that the demo would notice.

use super::verdict::Acknowledged;

/// What to falsify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Break {
    /// A contact was acknowledged twice.
    Duplicate,
    /// Two neighbours in a ring were served the other way round.
    Order,
    /// An acknowledged assignment is not there.
    Lose,
}

/// Does so, in place.
pub(super) fn tamper(how: Break, acknowledged: &mut Vec<Acknowledged>) {
    match how {
        Break::Duplicate => acknowledged.extend(acknowledged.first().cloned()),
        Break::Order => {
            acknowledged.sort_by_key(|answer| (answer.seen.campaign, answer.seen.place));
            let differ = |pair: &[Acknowledged]| match pair {
                [a, b] => a.seen.campaign == b.seen.campaign && a.seen.rep != b.seen.rep,
                _ => false,
            };
            if let Some(at) = acknowledged.windows(2).position(differ)
                && let Some((first, rest)) =
                    acknowledged.get_mut(at..).and_then(<[_]>::split_first_mut)
                && let Some(second) = rest.first_mut()
            {
                std::mem::swap(&mut first.seen.rep, &mut second.seen.rep);
            }
        }
        Break::Lose => {
            if let Some(answer) = acknowledged.first_mut() {
                answer.seen.name.push_str("-never");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::verdict::{judge, tests},
        Break, tamper,
    };

    fn broken(how: Break) -> (usize, usize, usize) {
        let (mut answers, presences, held) = tests::run();
        tamper(how, &mut answers);
        let figures = judge(&tests::rings(), &answers, &presences, &held);
        (figures.duplicates, figures.lost, figures.out_of_order)
    }

    #[test]
    fn each_way_to_break_it_is_noticed_where_it_belongs() {
        assert_eq!(broken(Break::Duplicate).0, 1);
        assert_eq!(broken(Break::Lose), (0, 1, 0));
        assert!(broken(Break::Order).2 > 0);
    }
}
