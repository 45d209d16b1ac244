//! A proxy between the server and one of its dependencies that can delay answers, cut connections or answer garbage.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    None,
    /// Answers are delayed by this long.
    Slow(Duration),
    /// New connections are accepted and dropped, and open ones are cut.
    Cut,
    /// Answers are replaced by garbage.
    Garbage,
}

pub const FAULTS: [Fault; 3] = [Fault::Slow(Duration::from_secs(30)), Fault::Cut, Fault::Garbage];

/// What the proxy forwards to.
#[derive(Clone)]
pub enum Upstream {
    Tcp(String),
    Unix(PathBuf),
}

/// A running proxy and the fault it has at present.
pub struct FaultProxy {
    pub address: SocketAddr,
    fault: watch::Sender<Fault>,
    taken: Arc<AtomicUsize>,
}

impl FaultProxy {
    pub async fn to(upstream: Upstream) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (fault, watched) = watch::channel(Fault::None);
        let taken = Arc::new(AtomicUsize::new(0));
        let counter = taken.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::Relaxed);
                let (upstream, mut cut) = (upstream.clone(), watched.clone());
                let watched = watched.clone();
                tokio::spawn(async move {
                    tokio::select! {
                        _ = cut.wait_for(|fault| *fault == Fault::Cut) => {}
                        _ = carry(stream, upstream, watched) => {}
                    }
                });
            }
        });
        Self { address, fault, taken }
    }

    /// The number of connections that were accepted so far.
    pub fn connections(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }
}

async fn carry(here: TcpStream, upstream: Upstream, fault: watch::Receiver<Fault>) -> Option<()> {
    here.set_nodelay(true).ok()?;
    match upstream {
        Upstream::Tcp(address) => both(here, TcpStream::connect(address).await.ok()?, fault).await,
        Upstream::Unix(path) => both(here, UnixStream::connect(path).await.ok()?, fault).await,
    }
}

async fn both(
    here: TcpStream,
    there: impl AsyncRead + AsyncWrite + Send + Unpin,
    mut fault: watch::Receiver<Fault>,
) -> Option<()> {
    let (mut from_here, mut to_here) = here.into_split();
    let (mut from_there, mut to_there) = tokio::io::split(there);
    let out = async {
        tokio::io::copy(&mut from_here, &mut to_there).await.ok()?;
        to_there.shutdown().await.ok()
    };
    let back = async {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let read = from_there.read(&mut buffer).await.ok()?;
            if read == 0 {
                return to_here.shutdown().await.ok();
            }
            let now = *fault.borrow_and_update();
            match now {
                Fault::Slow(time) => {
                    // The delay ends early when the fault is cleared.
                    let _ = tokio::time::timeout(time, fault.wait_for(|now| !matches!(now, Fault::Slow(_)))).await;
                    to_here.write_all(&buffer[..read]).await.ok()?;
                }
                Fault::Garbage => to_here.write_all(b"\x00\xffrubbish\r\n\r\nrubbish\r\n").await.ok()?,
                Fault::None | Fault::Cut => to_here.write_all(&buffer[..read]).await.ok()?,
            }
        }
    };
    tokio::select! {
        _ = back => {}
        // The caller has closed its side, so the upstream connection is not held for the rest of the fault.
        _ = async {
            out.await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        } => {}
    }
    Some(())
}
