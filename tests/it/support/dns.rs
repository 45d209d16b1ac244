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

/// A DNS record that the test publishes.
pub enum Record<'a> {
    Txt(&'a str, &'a str),
    A(&'a str, &'a str),
    Mx(&'a str, &'a str),
    Ptr(&'a str, &'a str),
}

impl Dns {
    /// Starts dnsmasq and waits until it answers. Another process may take the free port first, so it tries up to five times.
    pub fn start(records: &[Record<'_>]) -> Self {
        (0..5).find_map(|_| Self::try_start(records)).expect("a name server")
    }

    fn try_start(records: &[Record<'_>]) -> Option<Self> {
        let free = UdpSocket::bind("127.0.0.1:0")
            .expect("a free port")
            .local_addr()
            .expect("an address");
        // Debian installs dnsmasq in /usr/sbin, which is not in an ordinary user's PATH.
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
                // One string of a TXT record holds at most 255 bytes. dnsmasq separates strings by commas.
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
        let mut started = Self { child, address: free };
        started.answers().then_some(started)
    }

    /// Waits until the server answers its first question. Returns false when the process has exited instead.
    fn answers(&mut self) -> bool {
        // A query as of RFC 1035: a header with one question, for the address of `example`.
        let question = b"\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x00\x00\x01\x00\x01";
        let asking = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        asking
            .set_read_timeout(Some(Duration::from_millis(50)))
            .expect("a timeout");
        for _ in 0..200 {
            if self.child.try_wait().expect("a state").is_some() {
                return false;
            }
            let answered = asking
                .send_to(question, self.address)
                .and_then(|_| asking.recv(&mut [0; 512]));
            if answered.is_ok() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
