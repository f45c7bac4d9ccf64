//! The one place that writes to stdout: tables for people, JSON and CSV for programs.
//!
//! A cell is a JSON value. Column names are the field names of the API and the keys in JSON, so a
//! script that knows one knows all three.

use std::io::{self, IsTerminal as _, Write as _};

use comfy_table::{ContentArrangement, Table, presets};
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use serde_json::Value;

use super::failure::Failure;

/// How data is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// A list or an object.
    Json,
    /// With a header.
    Csv,
}

/// Writes data in one format.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    pub(crate) format: Format,
}

/// A row: each value under its column's name.
type Row = Vec<Value>;

impl Output {
    pub(super) fn new(format: Format) -> Self {
        Self { format }
    }

    /// Any number of like things.
    pub(crate) fn list(&self, columns: &[&str], rows: &[Row]) -> Result<(), Failure> {
        let text = match self.format {
            Format::Table => table(columns, rows),
            Format::Json => {
                json(&rows.iter().map(|row| Object { columns, row }).collect::<Vec<_>>())
            }
            Format::Csv => csv(columns, rows)?,
        };
        write(&text)
    }

    /// Any number of things with more to each than fits a line: a table shows some columns.
    pub(crate) fn brief(
        &self,
        columns: &[&str],
        shown: &[&str],
        rows: &[Row],
    ) -> Result<(), Failure> {
        match self.format {
            Format::Json | Format::Csv => self.list(columns, rows),
            Format::Table => {
                let is_shown = |(column, _): &(&&str, &Value)| shown.contains(column);
                let cells = |row: &Row| {
                    let cells = columns.iter().zip(row).filter(is_shown);
                    cells.map(|(_, value)| value.clone()).collect()
                };
                let shown: Vec<&str> =
                    columns.iter().copied().filter(|column| shown.contains(column)).collect();
                let rows: Vec<Row> = rows.iter().map(cells).collect();
                self.list(&shown, &rows)
            }
        }
    }

    /// One thing; a table leaves out what it has not.
    pub(crate) fn record(&self, columns: &[&str], row: Row) -> Result<(), Failure> {
        let text = match self.format {
            Format::Table => {
                let fields = columns.iter().zip(&row);
                let fields = fields.filter(|(_, value)| !plain(value, "").is_empty());
                let fields: Vec<Row> =
                    fields.map(|(name, value)| vec![Value::from(*name), value.clone()]).collect();
                table(&[], &fields)
            }
            Format::Json => json(&Object { columns, row: &row }),
            Format::Csv => csv(columns, &[row])?,
        };
        write(&text)
    }

    /// A thing with a list in it: in JSON the whole, otherwise the list.
    pub(crate) fn document(
        &self,
        whole: &impl Serialize,
        columns: &[&str],
        rows: &[Row],
    ) -> Result<(), Failure> {
        match self.format {
            Format::Json => write(&json(whole)),
            Format::Table | Format::Csv => self.list(columns, rows),
        }
    }

    /// A line as it is, whatever the format.
    pub(crate) fn line(&self, line: &str) -> Result<(), Failure> {
        write(&format!("{line}\n"))
    }
}

/// Things that come one by one: a line each.
pub(crate) struct Lines<'a> {
    format: Format,
    columns: &'a [&'a str],
    is_started: bool,
}

impl Output {
    /// For things that come one by one: JSON on a line, CSV, or for people the text given with it.
    pub(crate) fn lines<'a>(&self, columns: &'a [&'a str]) -> Lines<'a> {
        Lines { format: self.format, columns, is_started: false }
    }
}

impl Lines<'_> {
    /// Writes one. False if nobody reads any more.
    pub(crate) fn write(&mut self, row: Row, text: &str) -> Result<bool, Failure> {
        let line = match self.format {
            Format::Table => format!("{text}\n"),
            Format::Json => {
                let object = Object { columns: self.columns, row: &row };
                let line = serde_json::to_string(&object).expect("our keys are strings");
                format!("{line}\n")
            }
            Format::Csv => {
                let text = csv(self.columns, &[row])?;
                match (self.is_started, text.split_once('\n')) {
                    // No column name holds a line break: the header is the first line.
                    (true, Some((_header, rest))) => rest.to_owned(),
                    (true, None) | (false, _) => text,
                }
            }
        };
        self.is_started = true;
        write_while_read(&line)
    }
}

/// A row as a JSON object that keeps the order of the columns.
struct Object<'a> {
    columns: &'a [&'a str],
    row: &'a Row,
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.row.len()))?;
        for (name, value) in self.columns.iter().zip(self.row) {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

fn json(value: &impl Serialize) -> String {
    let text = serde_json::to_string_pretty(value).expect("our keys are strings");
    format!("{text}\n")
}

fn table(columns: &[&str], rows: &[Row]) -> String {
    let mut table = Table::new();
    if io::stdout().is_terminal() {
        table.load_style(presets::UTF8_FULL_CONDENSED);
        table.set_content_arrangement(ContentArrangement::Dynamic);
    } else {
        // Columns by spaces: easy on grep and awk.
        table.load_style(presets::NOTHING);
    }
    if !columns.is_empty() {
        table.set_header(columns);
    }
    for row in rows {
        table.add_row(row.iter().map(|value| plain(value, ", ")));
    }
    let lines: String = table.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    lines
}

fn csv(columns: &[&str], rows: &[Row]) -> Result<String, Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |error: csv::Error| Failure::failed(error.to_string());
    writer.write_record(columns).map_err(failed)?;
    for row in rows {
        writer.write_record(row.iter().map(|value| plain(value, ";"))).map_err(failed)?;
    }
    let bytes = writer.into_inner().map_err(|error| Failure::failed(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| Failure::failed(error.to_string()))
}

/// A value without quotes and brackets.
fn plain(value: &Value, separator: &str) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(list) => {
            list.iter().map(|value| plain(value, separator)).collect::<Vec<_>>().join(separator)
        }
        Value::Object(map) => {
            let pair =
                |(key, value): (&String, &Value)| format!("{key}={}", plain(value, separator));
            map.iter().map(pair).collect::<Vec<_>>().join(separator)
        }
    }
}

fn write(text: &str) -> Result<(), Failure> {
    // `turnwise … | head` has seen enough.
    write_while_read(text).map(|_is_read| ())
}

fn write_while_read(text: &str) -> Result<bool, Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::failed(format!("cannot write to stdout: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Object, csv, json as to_json, table};

    fn rows() -> Vec<Vec<Value>> {
        vec![
            vec![json!("ana"), json!(3), json!(["west", "north"]), json!({"import": "Ana, B."})],
            vec![json!("bo"), Value::Null, json!([]), json!({})],
        ]
    }

    const COLUMNS: &[&str] = &["rep", "open_count", "groups", "external_ids"];

    #[test]
    fn json_keeps_types_and_the_order_of_columns() {
        let all = rows();
        let objects: Vec<Object<'_>> =
            all.iter().map(|row| Object { columns: COLUMNS, row }).collect();
        let text = to_json(&objects);
        let places: Vec<_> = COLUMNS.iter().map(|name| text.find(&format!("\"{name}\""))).collect();
        assert!(places.is_sorted() && places.iter().all(Option::is_some), "{text}");
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read[0]["open_count"], 3);
        assert_eq!(read[1]["open_count"], Value::Null);
    }

    #[test]
    fn csv_quotes_what_needs_it() {
        let text = csv(COLUMNS, &rows()).unwrap();
        let expected =
            "rep,open_count,groups,external_ids\nana,3,west;north,\"import=Ana, B.\"\nbo,,,\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_table_away_from_a_terminal_is_columns_by_spaces() {
        let text = table(COLUMNS, &rows());
        let words: Vec<Vec<&str>> =
            text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(words[0], COLUMNS);
        assert_eq!(words[1][..3], ["ana", "3", "west,"]);
    }
}
