//! A real DNS server on loopback: dnsmasq, with the records that a test plants.

use std::{
    net::{SocketAddr, UdpSocket},
    process::{Child, Command, Stdio},
    time::Duration,
};

pub struct Dns {
    child: Child,
    pub address: SocketAddr,
}

/// A record to plant.
pub enum Record<'a> {
    Txt(&'a str, &'a str),
    A(&'a str, &'a str),
    Mx(&'a str, &'a str),
    Ptr(&'a str, &'a str),
}

impl Dns {
    pub fn start(records: &[Record<'_>]) -> Self {
        let free = UdpSocket::bind("127.0.0.1:0")
            .expect("a free port")
            .local_addr()
            .expect("an address");
        // Debian puts it where only root looks.
        let installed = std::path::Path::new("/usr/sbin/dnsmasq");
        let mut command = Command::new(if installed.exists() {
            installed
        } else {
            "dnsmasq".as_ref()
        });
        command.args([
            "--no-daemon",
            "--no-resolv",
            "--no-hosts",
            "--conf-file=/dev/null",
            "--bind-interfaces",
            "--user=",
            "--pid-file=",
        ]);
        command.args([
            "--listen-address=127.0.0.1",
            &format!("--port={}", free.port()),
            "--local=/example/",
            "--local=/arpa/",
        ]);
        for record in records {
            command.arg(match record {
                // A string of a TXT record holds 255 bytes; a comma begins the next one.
                Record::Txt(name, text) => {
                    let parts: Vec<String> = text
                        .as_bytes()
                        .chunks(250)
                        .map(|part| String::from_utf8_lossy(part).into_owned())
                        .collect();
                    format!("--txt-record={name},{}", parts.join(","))
                }
                Record::A(name, address) => format!("--host-record={name},{address}"),
                Record::Mx(name, server) => format!("--mx-host={name},{server},10"),
                Record::Ptr(address, name) => {
                    let reversed: Vec<&str> = address.split('.').rev().collect();
                    format!("--ptr-record={}.in-addr.arpa,{name}", reversed.join("."))
                }
            });
        }
        let child = command
            .stderr(Stdio::null())
            .spawn()
            .expect("dnsmasq (Debian: apt-get install dnsmasq-base)");
        std::thread::sleep(Duration::from_millis(200));
        Self { child, address: free }
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
