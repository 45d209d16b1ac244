//! `countersign secrets`: creates the secrets of an installation, each in its own file. Existing files are kept.

use std::{
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use clap::Args;

use super::{CliError, terminal::say};

/// The files of the server's secrets. A setting `X` reads the file that `X_FILE` names.
const SECRETS: [&str; 4] = [
    "database-reader-password",
    "database-web-password",
    "database-executor-password",
    "secret-key",
];

/// The file mode of a secret that only this user may read.
const OWNER_ONLY: u32 = 0o400;
/// The file mode of a secret that everybody who can reach its folder may read. Postgres runs as another user than `migrate`.
const READABLE_BY_ALL: u32 = 0o444;

/// Options for the superuser's password, and for the URL by which `migrate` signs in with it. They are in their own folder, which the
/// server does not get.
#[derive(Args)]
pub struct Admin {
    /// Also create the database superuser's secrets, in this folder.
    #[arg(long, requires = "admin_host")]
    admin: Option<PathBuf>,
    /// The database that the superuser signs in to: HOST:PORT/DATABASE.
    #[arg(long, requires = "admin")]
    admin_host: Option<String>,
}

/// Creates the secrets that do not exist yet.
pub fn run(folder: &Path, admin: Admin) -> Result<(), CliError> {
    create(folder, 0o700)?;
    for name in SECRETS {
        write_new(&folder.join(name), OWNER_ONLY, &random())?;
    }
    if let (Some(folder), Some(host)) = (admin.admin, admin.admin_host) {
        create(&folder, 0o755)?;
        let path = folder.join("postgres-password");
        write_new(&path, READABLE_BY_ALL, &random())?;
        let password = std::fs::read_to_string(&path).map_err(unwritable(&path))?;
        let url = format!("postgres://postgres:{}@{host}", password.trim());
        write_new(&folder.join("database-admin-url"), READABLE_BY_ALL, &url)?;
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

/// Creates the file and prints its path. An existing file is kept.
fn write_new(path: &Path, mode: u32, content: &str) -> Result<(), CliError> {
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path);
    match file {
        Ok(mut file) => {
            file.write_all(content.as_bytes()).map_err(unwritable(path))?;
            say(format_args!("{} made", path.display()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(unwritable(path)(error)),
    }
}

fn unwritable(path: &Path) -> impl FnOnce(std::io::Error) -> CliError {
    let path = path.to_owned();
    move |error| CliError::Unreadable(path, error)
}
