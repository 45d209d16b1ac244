//! `countersign secrets`: makes the secrets of an installation, each in a file of its own, and leaves those alone that are there.

use std::{
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::CliError;

/// Each is for one purpose; `X` reads the file that `X_FILE` names.
const SECRETS: [&str; 5] = [
    "postgres-password",
    "database-reader-password",
    "database-web-password",
    "database-executor-password",
    "secret-key",
];

/// Makes what is missing in `folder`. With `admin_host` also the URL by which `migrate` signs in as the superuser.
pub fn run(folder: &Path, admin_host: Option<&str>) -> Result<(), CliError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(unwritable(folder))?;
    let mut made = 0;
    for name in SECRETS {
        made += usize::from(write_new(&folder.join(name), &hex::encode(rand::random::<[u8; 32]>()))?);
    }
    if let Some(host) = admin_host {
        let path = folder.join("postgres-password");
        let password = std::fs::read_to_string(&path).map_err(unwritable(&path))?;
        let url = format!("postgres://postgres:{}@{host}", password.trim());
        made += usize::from(write_new(&folder.join("database-admin-url"), &url)?);
    }
    println!("{made} secrets made in {}", folder.display());
    Ok(())
}

/// False when the file is there already.
fn write_new(path: &PathBuf, content: &str) -> Result<bool, CliError> {
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o400)
        .open(path);
    match file {
        Ok(mut file) => file
            .write_all(content.as_bytes())
            .map(|()| true)
            .map_err(unwritable(path)),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(unwritable(path)(error)),
    }
}

fn unwritable(path: &Path) -> impl FnOnce(std::io::Error) -> CliError {
    let path = path.to_owned();
    move |error| CliError::Unreadable(path, error)
}
