//! Reads a CSV file row by row: its encoding, its separator, its columns by name. Only the rows of one record are held at a time.

use std::{
    collections::HashMap,
    io::{self, BufRead, BufReader, Cursor, Read},
    sync::Arc,
};

use csv::{ByteRecord, StringRecord};

/// The longest header row, and the longest field. A quote that is never closed makes the rest of a file one field.
const MAX_HEADER: u64 = 256 * 1024;
const MAX_FIELD: usize = 1024 * 1024;
/// How many rows of one record are looked at; a record has at most a thousand lines.
const MAX_ROWS: usize = 2000;

const ENCODING: &str = "the file is not UTF-8; save it as “CSV UTF-8” and import that";

pub(super) struct Table {
    reader: csv::Reader<Box<dyn Read + Send>>,
    columns: Arc<Columns>,
}

struct Columns {
    /// Position by name, without case.
    by_name: HashMap<String, usize>,
    names: Vec<String>,
}

/// A row of the file. No `Debug`: it holds private data.
pub(super) struct Row {
    columns: Arc<Columns>,
    fields: StringRecord,
    /// The number of the line that it begins in.
    pub line: usize,
    /// Why it cannot be read.
    pub fault: Option<String>,
}

fn folded(name: &str) -> String {
    name.trim().to_lowercase()
}

impl Table {
    pub fn open(source: Box<dyn Read + Send>) -> Result<Self, String> {
        let unreadable = |error: io::Error| error.to_string();
        let mut source = BufReader::new(UnixLines::new(source));
        let mut header = Vec::new();
        source
            .by_ref()
            .take(MAX_HEADER)
            .read_until(b'\n', &mut header)
            .map_err(unreadable)?;
        if header.starts_with(&[0xff, 0xfe]) || header.starts_with(&[0xfe, 0xff]) || header.contains(&0) {
            return Err("the file is UTF-16; save it as “CSV UTF-8” and import that".into());
        }
        let header: Vec<u8> = header.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&header).to_vec();
        let text = std::str::from_utf8(&header).map_err(|_| ENCODING.to_owned())?;
        let separator = separator(text);
        let whole: Box<dyn Read + Send> = Box::new(Cursor::new(header).chain(source));
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(separator)
            .flexible(true)
            .from_reader(whole);
        let names: Vec<String> = reader
            .headers()
            .map_err(|error| error.to_string())?
            .iter()
            .map(|name| name.trim().to_owned())
            .collect();
        let mut by_name = HashMap::new();
        for (at, name) in names.iter().enumerate() {
            by_name.entry(folded(name)).or_insert(at);
        }
        let columns = Arc::new(Columns { by_name, names });
        Ok(Self { reader, columns })
    }

    pub fn has(&self, column: &str) -> bool {
        self.columns.by_name.contains_key(&folded(column))
    }

    /// The names of the columns, as the file writes them.
    pub fn names(&self) -> &[String] {
        &self.columns.names
    }

    fn row(&mut self) -> Option<io::Result<Row>> {
        let mut bytes = ByteRecord::new();
        match self.reader.read_byte_record(&mut bytes) {
            Ok(true) => {}
            Ok(false) => return None,
            Err(error) => return Some(Err(error.into())),
        }
        // The reader counts blank lines before a row to it, so its first line is counted back from its end.
        let breaks = bytes.iter().flatten().filter(|byte| **byte == b'\n').count();
        let line = (self.reader.position().line() as usize).saturating_sub(1 + breaks);
        let width = self.columns.names.len();
        let too_long = bytes.iter().position(|field| field.len() > MAX_FIELD);
        let fault = if let Some(at) = too_long {
            let name = self.columns.names.get(at).map_or("", String::as_str);
            Some(format!("`{name}` is too long; is a quote not closed?"))
        } else if bytes.len() > width && bytes.iter().skip(width).any(|field| !field.is_empty()) {
            Some(format!(
                "the row has {} fields and the header {width}; is a quote missing?",
                bytes.len()
            ))
        } else if bytes.iter().any(|field| std::str::from_utf8(field).is_err()) {
            Some(ENCODING.to_owned())
        } else {
            None
        };
        Some(Ok(Row {
            columns: self.columns.clone(),
            fields: StringRecord::from_byte_record_lossy(bytes),
            line,
            fault,
        }))
    }
}

impl Iterator for Table {
    type Item = io::Result<Row>;

    /// The next row that has anything in it.
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.row()? {
                Ok(row) if row.fault.is_none() && row.fields.iter().all(|field| field.trim().is_empty()) => {}
                row => return Some(row),
            }
        }
    }
}

/// A text whose lines all end with `\n`, the last one too, so that lines are counted alike whatever program wrote the file.
struct UnixLines {
    source: BufReader<Box<dyn Read + Send>>,
    is_after_return: bool,
    last: u8,
}

impl UnixLines {
    fn new(source: Box<dyn Read + Send>) -> Self {
        Self {
            source: BufReader::new(source),
            is_after_return: false,
            last: b'\n',
        }
    }
}

impl Read for UnixLines {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let chunk = self.source.fill_buf()?;
            if chunk.is_empty() || into.is_empty() {
                let is_open = std::mem::replace(&mut self.last, b'\n') != b'\n';
                return Ok(match into.first_mut() {
                    Some(first) if is_open => {
                        *first = b'\n';
                        1
                    }
                    _ => 0,
                });
            }
            let taken = chunk.len().min(into.len());
            let mut written = 0;
            for &byte in &chunk[..taken] {
                let is_end_of_return = byte == b'\n' && self.is_after_return;
                self.is_after_return = byte == b'\r';
                if !is_end_of_return {
                    self.last = if byte == b'\r' { b'\n' } else { byte };
                    into[written] = self.last;
                    written += 1;
                }
            }
            self.source.consume(taken);
            if written > 0 {
                return Ok(written);
            }
        }
    }
}

/// What separates the columns: whichever of the usual signs stands most often outside quotes.
fn separator(header: &str) -> u8 {
    let count = |sign: char| {
        let mut is_quoted = false;
        let signs = header.chars().filter(|&c| {
            is_quoted ^= c == '"';
            c == sign && !is_quoted
        });
        signs.count()
    };
    let best = [(b'\t', '\t'), (b';', ';'), (b',', ',')]
        .into_iter()
        .max_by_key(|(_, sign)| count(*sign));
    best.map_or(b',', |(byte, _)| byte)
}

impl Row {
    /// The first of these columns that the row has a value in, trimmed; empty where it has none.
    pub fn get(&self, names: &[&str]) -> &str {
        let mut values = names.iter().filter_map(|name| {
            let at = *self.columns.by_name.get(&folded(name))?;
            Some(unescaped(self.fields.get(at)?.trim()))
        });
        values.find(|value| !value.is_empty()).unwrap_or("")
    }

    pub fn has_column(&self, name: &str) -> bool {
        self.columns.by_name.contains_key(&folded(name))
    }

    /// The columns whose name begins so, in the file's order, with their values.
    pub fn beginning_with<'a>(&'a self, start: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let columns = self.columns.names.iter().zip(self.fields.iter());
        columns
            .filter(move |(name, value)| folded(name).starts_with(start) && !value.trim().is_empty())
            .map(|(name, value)| (name.as_str(), value.trim()))
    }
}

/// Exports write an apostrophe before what a spreadsheet would take for a number or a formula.
fn unescaped(value: &str) -> &str {
    let bare = value.strip_prefix('\'');
    bare.filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || "=+-@".contains(c)))
        .unwrap_or(value)
}

/// Adjacent rows with the same value in a column.
pub(super) struct Groups {
    table: Table,
    key: &'static [&'static str],
    waiting: Option<Row>,
}

impl Groups {
    pub fn new(table: Table, key: &'static [&'static str]) -> Self {
        Self {
            table,
            key,
            waiting: None,
        }
    }
}

impl Iterator for Groups {
    type Item = io::Result<Vec<Row>>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = match self.waiting.take() {
            Some(row) => row,
            None => match self.table.next()? {
                Ok(row) => row,
                Err(error) => return Some(Err(error)),
            },
        };
        let name = first.get(self.key).to_owned();
        let mut rows = vec![first];
        loop {
            match self.table.next() {
                None => break,
                Some(Err(error)) => return Some(Err(error)),
                Some(Ok(row)) if name.is_empty() || row.get(self.key) != name => {
                    self.waiting = Some(row);
                    break;
                }
                Some(Ok(row)) if rows.len() < MAX_ROWS => rows.push(row),
                Some(Ok(_)) => {
                    if let Some(first) = rows.first_mut() {
                        first.fault = Some(format!("more than {MAX_ROWS} rows are of `{name}`"));
                    }
                }
            }
        }
        Some(Ok(rows))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn table(text: &str) -> Result<Table, String> {
        Table::open(Box::new(Cursor::new(text.as_bytes().to_vec())))
    }

    fn values(bytes: &[u8]) -> Vec<(usize, String, String)> {
        let table = Table::open(Box::new(Cursor::new(bytes.to_vec()))).unwrap_or_else(|fault| panic!("{fault}"));
        let rows = table.map(|row| row.expect("reads"));
        rows.map(|row| (row.line, row.get(&["name"]).to_owned(), row.get(&["City"]).to_owned()))
            .collect()
    }

    #[test]
    fn files_are_read_in_the_ways_that_programs_write_them() {
        let expected = |line, name: &str, city: &str| vec![(line, name.to_owned(), city.to_owned())];
        for (bytes, read) in [
            (&b"Name,City\nA,B\n"[..], expected(2, "A", "B")),
            (b"\xef\xbb\xbfName,City\r\nA,B\r\n", expected(2, "A", "B")),
            (b"Name;City\n\"A;1\";B", expected(2, "A;1", "B")),
            (b"Name\tCity\nA\tB", expected(2, "A", "B")),
            (b"\"Name\",\"City\"\n\n\"A\nb\",B", expected(3, "A\nb", "B")),
            (b" NAME ,city,\nA,B,\n,,\n", expected(2, "A", "B")),
            (b"Name,City\nA\n", expected(2, "A", "")),
            (b"Name,City\n'02134,'t Veld\n", expected(2, "02134", "'t Veld")),
            (b"Name,City\rA,B\r", expected(2, "A", "B")),
            (b"Name,City\r\n\r\n\r\nA,B", expected(4, "A", "B")),
            (b"Name,City\n", Vec::new()),
        ] {
            assert_eq!(values(bytes), read, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn other_encodings_and_odd_rows_are_named() {
        for bytes in [&b"\xff\xfeN\0a\0m\0e\0"[..], b"N\0a\0m\0e\0\n\0", b"Name,Stra\xdfe\n"] {
            assert!(Table::open(Box::new(Cursor::new(bytes.to_vec()))).is_err());
        }
        for (bytes, part) in [
            (&b"Name,City\nA,K\xf6ln\n"[..], "not UTF-8"),
            (b"Name,City\nA,B,C\n", "3 fields"),
        ] {
            let mut table =
                Table::open(Box::new(Cursor::new(bytes.to_vec()))).unwrap_or_else(|fault| panic!("{fault}"));
            let row = table.next().expect("a row").expect("reads");
            assert!(row.fault.as_deref().is_some_and(|fault| fault.contains(part)), "{part}");
        }
    }
}
