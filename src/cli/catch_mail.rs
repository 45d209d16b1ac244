//! `countersign catch-mail`: a mail relay for trials and tests, which forwards nothing but keeps mail and shows it on a page.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use super::{CliError, serve::bind, serve::stop_signal, terminal::say};
use crate::{
    mail::{CaughtMail, Inbox},
    web,
};

/// The largest mail and the longest line, in bytes.
const MAX_MAIL_BYTES: u64 = 10 * 1024 * 1024;

pub async fn run(smtp: SocketAddr, page: SocketAddr) -> Result<(), CliError> {
    let (smtp, page) = (bind(smtp).await?, bind(page).await?);
    let inbox = Inbox::default();
    let pages = web::inbox::page(inbox.clone());
    say(format_args!(
        "mail is taken at {} and shown at http://{}/inbox",
        smtp.local_addr()?,
        page.local_addr()?
    ))?;
    tokio::select! {
        () = accept_connections(smtp, inbox) => {}
        served = axum::serve(page, pages).into_future() => served?,
        () = stop_signal()? => {}
    }
    Ok(())
}

async fn accept_connections(listener: TcpListener, inbox: Inbox) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            let inbox = inbox.clone();
            #[allow(clippy::disallowed_methods, reason = "the task ends with its connection")]
            tokio::spawn(async move { receive_mail(stream, &inbox).await });
        }
    }
}

/// Speaks as much SMTP (RFC 5321) as a client needs to deliver mail. An error closes the connection.
async fn receive_mail(stream: TcpStream, inbox: &Inbox) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 countersign catches mail\r\n").await?;
    let (mut to, mut line) = (Vec::new(), String::new());
    loop {
        line.clear();
        if (&mut stream).take(MAX_MAIL_BYTES).read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let answer = match line.get(..4).unwrap_or_default().to_uppercase().as_str() {
            "RCPT" => {
                to.extend(line.split(['<', '>']).nth(1).map(str::to_owned));
                "250 ok"
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                let mut mail = String::new();
                while !mail.ends_with("\r\n.\r\n") {
                    if mail.len() as u64 > MAX_MAIL_BYTES
                        || (&mut stream).take(MAX_MAIL_BYTES).read_line(&mut mail).await? == 0
                    {
                        return Ok(());
                    }
                }
                inbox.catch(CaughtMail::parse(to.join(", "), &mail));
                to.clear();
                "250 kept"
            }
            "RSET" => {
                to.clear();
                "250 ok"
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => "250 ok",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
}
