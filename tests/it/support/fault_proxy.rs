//! What stands between the server and somebody else, and makes the way slow, cuts it, or fills it with rubbish.

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
pub enum Weather {
    Clear,
    /// Nothing comes back for so long.
    Slow(Duration),
    /// Connections are taken and dropped, those that are open too.
    Cut,
    /// What comes back means nothing.
    Garbage,
}

pub const BAD: [Weather; 3] = [Weather::Slow(Duration::from_secs(30)), Weather::Cut, Weather::Garbage];

/// Where the way leads.
#[derive(Clone)]
pub enum Beyond {
    Tcp(String),
    Unix(PathBuf),
}

/// Dropped, the way is closed.
pub struct Way {
    pub address: SocketAddr,
    weather: watch::Sender<Weather>,
    taken: Arc<AtomicUsize>,
}

impl Way {
    pub async fn to(beyond: Beyond) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (weather, watched) = watch::channel(Weather::Clear);
        let taken = Arc::new(AtomicUsize::new(0));
        let counter = taken.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::Relaxed);
                let (beyond, mut cut) = (beyond.clone(), watched.clone());
                let watched = watched.clone();
                tokio::spawn(async move {
                    tokio::select! {
                        _ = cut.wait_for(|weather| *weather == Weather::Cut) => {}
                        _ = carry(stream, beyond, watched) => {}
                    }
                });
            }
        });
        Self {
            address,
            weather,
            taken,
        }
    }

    /// Connections that have been taken so far.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    pub fn becomes(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }
}

async fn carry(here: TcpStream, beyond: Beyond, weather: watch::Receiver<Weather>) -> Option<()> {
    here.set_nodelay(true).ok()?;
    match beyond {
        Beyond::Tcp(address) => both(here, TcpStream::connect(address).await.ok()?, weather).await,
        Beyond::Unix(path) => both(here, UnixStream::connect(path).await.ok()?, weather).await,
    }
}

async fn both(
    here: TcpStream,
    there: impl AsyncRead + AsyncWrite + Send + Unpin,
    mut weather: watch::Receiver<Weather>,
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
            let now = *weather.borrow_and_update();
            match now {
                Weather::Slow(time) => {
                    // Until it clears up, if that is sooner.
                    let _ = tokio::time::timeout(time, weather.wait_for(|now| !matches!(now, Weather::Slow(_)))).await;
                    to_here.write_all(&buffer[..read]).await.ok()?;
                }
                Weather::Garbage => to_here.write_all(b"\x00\xffrubbish\r\n\r\nrubbish\r\n").await.ok()?,
                Weather::Clear | Weather::Cut => to_here.write_all(&buffer[..read]).await.ok()?,
            }
        }
    };
    tokio::select! {
        _ = back => {}
        // Whoever asked has gone: what is beyond must not be held for the rest of a bad weather.
        _ = async {
            out.await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        } => {}
    }
    Some(())
}
