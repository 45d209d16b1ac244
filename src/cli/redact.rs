//! `countersign redact`: copies a log without credentials and personal data.

use std::{
    fs::File,
    io::{BufRead, BufReader, Write, stdin, stdout},
    path::PathBuf,
};

use super::CliError;
use crate::telemetry;

/// Redacts line by line, so that a log of any size fits into memory. Bytes that are not UTF-8 are replaced.
pub fn run(path: PathBuf) -> Result<(), CliError> {
    let mut source: Box<dyn BufRead> = match path.as_os_str() == "-" {
        true => Box::new(stdin().lock()),
        false => match File::open(&path) {
            Ok(file) => Box::new(BufReader::new(file)),
            Err(error) => return Err(CliError::Unreadable(path, error)),
        },
    };
    let mut out = stdout().lock();
    let mut line = Vec::new();
    while source.read_until(b'\n', &mut line)? > 0 {
        out.write_all(telemetry::redact(&String::from_utf8_lossy(&line)).as_bytes())?;
        line.clear();
    }
    Ok(out.flush()?)
}
