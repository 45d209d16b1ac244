//! A mail relay on loopback that speaks SMTP and keeps every mail it receives.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use countersign::mail::{MailSettings, SmtpSettings};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

#[derive(Clone)]
pub struct Mailbox {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    mails: Mutex<Vec<Mail>>,
    misbehaviour: Mutex<VecDeque<Misbehaviour>>,
}

/// A fault of the relay with one mail.
#[derive(Clone, Debug)]
pub enum Misbehaviour {
    /// Answers with this line instead of accepting the mail.
    Answers(&'static str),
    /// Accepts the mail and closes the connection before it says so.
    TakesAndIsGone,
}

#[derive(Clone, Debug)]
pub struct Mail {
    pub to: String,
    /// Headers and body as they were received.
    pub raw: String,
}

impl Mail {
    /// The value of a header, unfolded.
    pub fn header(&self, name: &str) -> Option<String> {
        let unfolded = self.raw.split("\r\n\r\n").next()?.replace("\r\n ", " ");
        let line = unfolded
            .lines()
            .find(|line| line.to_lowercase().starts_with(&format!("{}:", name.to_lowercase())))?;
        line.split_once(':').map(|(_, value)| value.trim().to_owned())
    }

    /// The plain text, decoded.
    pub fn text(&self) -> String {
        let bytes = quoted_printable::decode(&self.raw, quoted_printable::ParseMode::Robust).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The code of eight digits in the mail.
    pub fn code(&self) -> String {
        let words = self.raw.split_whitespace();
        let mut codes = words.filter(|word| word.len() == 8 && word.bytes().all(|byte| byte.is_ascii_digit()));
        codes.next().expect("a code").to_owned()
    }

    /// The link in the mail, and the secret after its `#`.
    pub fn link(&self) -> (String, String) {
        // Quoted-printable breaks lines at 76 characters, also inside of a link.
        let text = self.raw.replace("=\r\n", "").replace("=3D", "=");
        let link = text
            .split_whitespace()
            .find(|word| word.contains('#'))
            .expect("a link")
            .to_owned();
        let token = link.split_once('#').expect("a token").1.to_owned();
        (link, token)
    }
}

impl Mailbox {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let mailbox = Self {
            port: listener.local_addr().expect("an address").port(),
            shared: Arc::default(),
        };
        let shared = mailbox.shared.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(take(stream, shared.clone()));
            }
        });
        mailbox
    }

    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    pub fn settings(&self) -> MailSettings {
        MailSettings::Smtp(SmtpSettings {
            deadline: Duration::from_secs(20),
            plain: false,
            url: self.url().into(),
            from: "Shop <shop@shop.example>".parse().expect("an address"),
            dkim: Vec::new(),
        })
    }

    /// Queues faults; each of the next mails gets one.
    pub fn misbehave(&self, misbehaviour: impl IntoIterator<Item = Misbehaviour>) {
        self.shared.misbehaviour.lock().expect("no panic").extend(misbehaviour);
    }

    /// All mails that were received so far.
    pub fn all(&self) -> Vec<Mail> {
        self.shared.mails.lock().expect("no panic").clone()
    }

    /// Waits until an address has `count` mails and returns the newest.
    pub async fn newest_to(&self, address: &str, count: usize) -> Mail {
        for _ in 0..1000 {
            let mails: Vec<Mail> = self.all().into_iter().filter(|mail| mail.to == address).collect();
            if mails.len() >= count {
                return mails.last().expect("one").clone();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("mail {count} to {address} did not come");
    }
}

async fn take(stream: TcpStream, shared: Arc<Shared>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 mailbox\r\n").await.ok()?;
    let (mut to, mut line) = (String::new(), String::new());
    loop {
        line.clear();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let answer = match line.split([' ', ':']).next().unwrap_or_default().trim() {
            "RCPT" => {
                to = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                "250 ok"
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await.ok()?;
                let mut raw = String::new();
                while !raw.ends_with("\r\n.\r\n") {
                    stream.read_line(&mut raw).await.ok()?;
                }
                let misbehaviour = shared.misbehaviour.lock().expect("no panic").pop_front();
                let mail = Mail { to: to.clone(), raw };
                match misbehaviour {
                    Some(Misbehaviour::Answers(answer)) => {
                        stream.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
                        continue;
                    }
                    Some(Misbehaviour::TakesAndIsGone) => {
                        shared.mails.lock().expect("no panic").push(mail);
                        return None;
                    }
                    None => shared.mails.lock().expect("no panic").push(mail),
                }
                "250 taken"
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await.ok()?;
                return None;
            }
            _ => "250 ok",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
    }
}
