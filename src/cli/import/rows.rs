//! The file: which columns, which rows, and what is wrong with which line.
//!
//! Pure. All that can be seen in the file alone is said at once, each problem with its line.

use std::collections::HashMap;

use crate::cli::text;

/// Which columns to read.
pub(super) struct Columns<'a> {
    pub(super) name: &'a str,
    pub(super) email: Option<&'a str>,
    pub(super) group: Option<&'a str>,
}

/// A row of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) line: u64,
    /// The slug of the name.
    pub(super) id: String,
    /// As written, without the blanks around it.
    pub(super) name: String,
    /// Normalised.
    pub(super) email: Option<String>,
    pub(super) group: Option<GroupOf>,
}

/// The group of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GroupOf {
    /// The slug of the value.
    pub(super) id: String,
    /// As written.
    pub(super) name: String,
}

/// A name longer than this is refused by the service.
const NAME_LEN_MAX: usize = 256;

/// Reads and checks the whole file; the problems come in the order of the lines.
pub(super) fn read(file: &[u8], columns: &Columns<'_>) -> Result<Vec<Person>, Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(without_bom(file));
    let header = reader.headers().map_err(|error| vec![error.to_string()])?.clone();
    let place = |column: &str| {
        let found = header.iter().position(|name| name.trim() == column);
        let known = || header.iter().collect::<Vec<_>>().join(", ");
        found.ok_or_else(|| vec![format!("there is no column `{column}`; there are: {}", known())])
    };
    let name_at = place(columns.name)?;
    let email_at = columns.email.map(place).transpose()?;
    let group_at = columns.group.map(place).transpose()?;

    let mut people = Vec::new();
    let mut problems = Vec::new();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            // What follows a row that can't be read may be shifted.
            Err(error) => {
                problems.push(unreadable(&error));
                return Err(problems);
            }
        };
        let line = record.position().map_or(0, csv::Position::line);
        let cell = |at: usize| record.get(at).unwrap_or_default().trim();
        match person(line, cell(name_at), email_at.map(cell), group_at.map(cell)) {
            Ok(person) => people.push(person),
            Err(problem) => problems.push(format!("line {line}: {problem}")),
        }
    }
    problems.extend(clashes(&people));
    if people.is_empty() && problems.is_empty() {
        problems.push("there is no row after the header".to_owned());
    }
    if problems.is_empty() { Ok(people) } else { Err(problems) }
}

fn person(
    line: u64,
    name: &str,
    email: Option<&str>,
    group: Option<&str>,
) -> Result<Person, String> {
    if name.is_empty() {
        return Err("the name is empty".to_owned());
    }
    if name.len() > NAME_LEN_MAX || name.contains(char::is_control) {
        return Err(format!(
            "the name is longer than {NAME_LEN_MAX} bytes or has a control character"
        ));
    }
    let id = text::slug(name).map_err(|problem| format!("the name: {problem}"))?;
    let email = match email.map(text::normal_email) {
        Some(email) if !email.is_empty() => {
            text::email(&email)?;
            Some(email)
        }
        Some(_) | None => None,
    };
    let group = match group {
        Some(name) if !name.is_empty() => {
            let id = text::slug(name).map_err(|problem| format!("the group: {problem}"))?;
            if id == "default" {
                return Err(
                    "the group `default` is that of all reps; give it another name".to_owned()
                );
            }
            Some(GroupOf { id, name: name.to_owned() })
        }
        Some(_) | None => None,
    };
    Ok(Person { line, id, name: name.to_owned(), email, group })
}

/// Two rows that would be the same rep, have the same email, or write one group in two ways.
fn clashes(people: &[Person]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut ids: HashMap<&str, &Person> = HashMap::new();
    let mut emails: HashMap<&str, &Person> = HashMap::new();
    let mut groups: HashMap<&str, (&str, u64)> = HashMap::new();
    for person in people {
        let line = person.line;
        if let Some(first) = ids.insert(&person.id, person) {
            problems.push(format!(
                "line {line}: `{}` makes the id `{}`, as does `{}` in line {}",
                person.name, person.id, first.name, first.line
            ));
        }
        if let Some(email) = &person.email
            && let Some(first) = emails.insert(email, person)
        {
            problems.push(format!("line {line}: the email of line {}", first.line));
        }
        if let Some(GroupOf { id, name }) = &person.group {
            let (first, first_line) = *groups.entry(id).or_insert((name, line));
            if first != name {
                problems.push(format!(
                    "line {line}: the group `{name}` is written `{first}` in line {first_line}"
                ));
            }
        }
    }
    problems
}

fn unreadable(error: &csv::Error) -> String {
    match error.position() {
        Some(position) => format!("line {}: {error}", position.line()),
        None => error.to_string(),
    }
}

/// Spreadsheets put a byte order mark before the first column's name.
fn without_bom(file: &[u8]) -> &[u8] {
    file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file)
}

#[cfg(test)]
mod tests {
    use super::{Columns, read};

    const COLUMNS: Columns<'static> =
        Columns { name: "agent", email: Some("mail"), group: Some("office") };

    fn problems(file: &str) -> Vec<String> {
        read(file.as_bytes(), &COLUMNS).unwrap_err()
    }

    #[test]
    fn a_row_becomes_a_person_with_an_id_and_the_name_as_written() {
        let file = "\u{feff}agent,office,mail\nMei-Mei Johns, Central ,MM@Example.com\nBo,,\n";
        let people = read(file.as_bytes(), &COLUMNS).unwrap();
        let first = &people[0];
        assert_eq!((first.line, first.id.as_str()), (2, "mei-mei-johns"));
        assert_eq!(first.name, "Mei-Mei Johns");
        assert_eq!(first.email.as_deref(), Some("mm@example.com"));
        let group = first.group.as_ref().unwrap();
        assert_eq!((group.id.as_str(), group.name.as_str()), ("central", "Central"));
        assert_eq!((people[1].email.as_ref(), people[1].group.as_ref()), (None, None));
    }

    #[test]
    fn every_bad_row_is_named_by_its_line() {
        let found = problems(
            "agent,office,mail\n\
             ,West,\n\
             !!!,West,\n\
             \"Ana\nB.\",West,\n\
             Bo,West,not-an-email\n\
             Cem,default,\n\
             Dora,West,\n",
        );
        let lines: Vec<&str> =
            found.iter().map(|problem| problem.split_once(": ").unwrap().0).collect();
        assert_eq!(lines, ["line 2", "line 3", "line 4", "line 6", "line 7"], "{found:#?}");
    }

    #[test]
    fn rows_that_clash_name_both_lines() {
        let found = problems(
            "agent,office,mail\n\
             Mei-Mei Johns,North East,a@example.com\n\
             Mei Mei Johns,North East,b@example.com\n\
             Bo,north-east,A@Example.com\n",
        );
        assert_eq!(
            found,
            [
                "line 3: `Mei Mei Johns` makes the id `mei-mei-johns`, as does `Mei-Mei Johns` in line 2",
                "line 4: the email of line 2",
                "line 4: the group `north-east` is written `North East` in line 2",
            ]
        );
    }

    #[test]
    fn a_column_that_is_not_there_is_named_with_those_that_are() {
        let found = problems("name,office,mail\nBo,West,\n");
        assert_eq!(found, ["there is no column `agent`; there are: name, office, mail"]);
    }

    #[test]
    fn a_row_of_another_length_and_an_empty_file_are_refused() {
        assert!(problems("agent,office,mail\nBo,West\n")[0].starts_with("line 2: "));
        assert_eq!(problems("agent,office,mail\n"), ["there is no row after the header"]);
    }
}
