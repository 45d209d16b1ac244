//! `countersign secrets`: makes the secrets of an installation, each in a file of its own, and leaves those alone that are there.

use std::{
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use clap::Args;

use super::CliError;

/// Each is for one purpose; `X` reads the file that `X_FILE` names.
const SECRETS: [&str; 4] = [
    "database-reader-password",
    "database-web-password",
    "database-executor-password",
    "secret-key",
];

/// The file mode of a secret that only this user reads.
const OWN: u32 = 0o400;
/// The file mode of a secret for whoever is given the folder: Postgres runs as another user than `migrate`.
const SHARED: u32 = 0o444;

/// The superuser's password and the URL by which `migrate` signs in with it: in a folder of their own, which is kept from the
/// server.
#[derive(Args)]
pub struct Admin {
    /// Also make the database superuser's secrets, in this folder.
    #[arg(long, requires = "admin_host")]
    admin: Option<PathBuf>,
    /// Where the superuser signs in: HOST:PORT/DATABASE.
    #[arg(long, requires = "admin")]
    admin_host: Option<String>,
}

/// Makes what is missing.
pub fn run(folder: &Path, admin: Admin) -> Result<(), CliError> {
    create(folder, 0o700)?;
    for name in SECRETS {
        write_new(&folder.join(name), OWN, &random())?;
    }
    if let (Some(folder), Some(host)) = (admin.admin, admin.admin_host) {
        create(&folder, 0o755)?;
        let path = folder.join("postgres-password");
        write_new(&path, SHARED, &random())?;
        let password = std::fs::read_to_string(&path).map_err(unwritable(&path))?;
        let url = format!("postgres://postgres:{}@{host}", password.trim());
        write_new(&folder.join("database-admin-url"), SHARED, &url)?;
    }
    Ok(())
}

fn random() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}

fn create(folder: &Path, mode: u32) -> Result<(), CliError> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(mode).create(folder);
    made.map_err(unwritable(folder))
}

/// Says so, unless the file is there already: then it stays.
fn write_new(path: &Path, mode: u32, content: &str) -> Result<(), CliError> {
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path);
    match file {
        Ok(mut file) => file
            .write_all(content.as_bytes())
            .map(|()| println!("{} made", path.display()))
            .map_err(unwritable(path)),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(unwritable(path)(error)),
    }
}

fn unwritable(path: &Path) -> impl FnOnce(std::io::Error) -> CliError {
    let path = path.to_owned();
    move |error| CliError::Unreadable(path, error)
}
