//! Python tools from PyPI, installed in a folder under target/.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

static PYTHON: OnceLock<PathBuf> = OnceLock::new();

/// A Python with aiosmtpd (a mail server), dkimpy (a DKIM verifier) and dnspython (its resolver).
pub fn python() -> &'static Path {
    PYTHON.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mail-tools");
        let python = folder.join("bin/python");
        let ready = folder.join("ready");
        if !ready.exists() {
            let run = |program: &Path, arguments: &[&str]| {
                let status = Command::new(program)
                    .args(arguments)
                    .status()
                    .expect("python3 (Debian: apt-get install python3-venv)");
                assert!(status.success(), "{program:?} {arguments:?}");
            };
            run(Path::new("python3"), &["-m", "venv", folder.to_str().expect("UTF-8")]);
            run(
                &python,
                &[
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "aiosmtpd==1.4.6",
                    "dkimpy==1.1.8",
                    "dnspython==2.7.0",
                    "pynacl==1.5.0",
                ],
            );
            std::fs::write(ready, "").expect("written");
        }
        python
    })
}
