//! A department's webhook as it might be: an inbox behind a real socket, which misbehaves as it is told. It shares no code
//! with the adapter, so that a misreading of the wire shows.

mod wire;

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustls::ServerConfig;

use wire::Asked;

/// Longest wait for a far side that sends or takes nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a receiver does with a delivery whose signature is good; another is answered 401.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Takes it into the inbox, and says so.
    Take,
    /// Takes it so long after it came.
    TakeLate(Duration),
    /// Takes it, and closes the connection without a word.
    TakeAndCut,
    /// Takes it, and closes the connection in the middle of its answer.
    TakeAndHalfAnswer,
    /// Refuses it for this reason, with status 200.
    Refuse(String),
    /// Answers so, and takes nothing: status, more lines of the head, body.
    Answer(u16, Vec<String>, String),
    /// Says of another delivery that it has it.
    TakeAnother,
    /// Never answers.
    Hang,
    /// Answers 200, and a body that never ends.
    EndlessBody,
    /// Answers a head that never ends.
    EndlessHead,
    /// Answers what is no HTTP.
    Garbage,
}

/// One delivery in the inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// `webhook-id`: what the inbox is keyed on.
    pub id: String,
    /// The body of the try that took effect.
    pub body: Vec<u8>,
    /// How often it came and was taken, or was there already.
    pub times: u32,
}

/// What a receiver has seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// In the order in which they took effect.
    pub inbox: Vec<Letter>,
    /// The `webhook-id` of every request that was read whole.
    pub tries: Vec<String>,
    /// Requests whose signature was none of ours.
    pub unverified: u32,
    /// The request line and the lines of the head of the last request.
    pub last_head: Vec<String>,
}

/// A receiver; gone when it is dropped.
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    tls: Option<Arc<ServerConfig>>,
}

struct State {
    seen: Seen,
    /// Secrets whose signatures are good.
    secrets: Vec<String>,
    manner: Manner,
    /// For the next requests, one each, before `manner` counts.
    next: VecDeque<Manner>,
    away: bool,
}

impl Receiver {
    /// Listens on a free port of this machine; with TLS if a certificate is given. `secret`: as `whsec_…`.
    ///
    /// # Errors
    /// [`io::Error`] of the socket.
    pub fn start(secret: &str, tls: Option<Arc<ServerConfig>>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let state = State {
            seen: Seen::default(),
            secrets: vec![secret.to_owned()],
            manner: Manner::Take,
            next: VecDeque::new(),
            away: false,
        };
        let receiver = Self {
            address: listener.local_addr()?,
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                changed: Condvar::new(),
                tls,
            }),
            accepting: Mutex::default(),
        };
        receiver.accept(listener);
        Ok(receiver)
    }

    /// Its address, for the registry.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.shared.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/lgsp/in?box=1", self.address)
    }

    /// Does so from now on.
    pub fn behave(&self, manner: Manner) {
        let mut state = self.shared.state();
        state.next.clear();
        state.manner = manner;
    }

    /// Does so with the next requests, one each, and then as before.
    pub fn behave_next(&self, manners: impl IntoIterator<Item = Manner>) {
        self.shared.state().next.extend(manners);
    }

    /// Takes only signatures with one of these.
    pub fn trust(&self, secrets: &[&str]) {
        self.shared.state().secrets = secrets.iter().map(|secret| (*secret).to_owned()).collect();
    }

    /// Closes its port: who connects is refused.
    pub fn go_away(&self) {
        self.shared.state().away = true;
        self.shared.changed.notify_all();
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
        let accepting = self.accepting.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(accepting.map(JoinHandle::join));
    }

    /// Opens the same port again.
    ///
    /// # Errors
    /// [`io::Error`] of the socket.
    pub fn come_back(&self) -> io::Result<()> {
        let listener = TcpListener::bind(self.address)?;
        self.shared.state().away = false;
        self.accept(listener);
        Ok(())
    }

    #[must_use]
    pub fn seen(&self) -> Seen {
        self.shared.state().seen.clone()
    }

    /// Waits until what it has seen fits; else what it has seen after all.
    ///
    /// # Errors
    /// [`Seen`] when the time was over.
    pub fn wait(&self, limit: Duration, mut fits: impl FnMut(&Seen) -> bool) -> Result<Seen, Seen> {
        let deadline = Instant::now() + limit;
        let mut state = self.shared.state();
        while !fits(&state.seen) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(state.seen.clone());
            }
            let waited = self.shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(state.seen.clone())
    }

    fn accept(&self, listener: TcpListener) {
        let shared = Arc::clone(&self.shared);
        let accepting = std::thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                if shared.state().away {
                    return;
                }
                let shared = Arc::clone(&shared);
                // A far side that goes away is what some stories are about.
                std::thread::spawn(move || drop(shared.serve(stream)));
            }
        });
        *self.accepting.lock().unwrap_or_else(PoisonError::into_inner) = Some(accepting);
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.go_away();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        match &self.tls {
            None => self.answer(stream),
            Some(tls) => {
                let connection = rustls::ServerConnection::new(Arc::clone(tls)).map_err(io::Error::other)?;
                self.answer(rustls::StreamOwned::new(connection, stream))
            }
        }
    }

    fn answer(&self, mut stream: impl io::Read + io::Write) -> io::Result<()> {
        let asked = Asked::read(&mut stream)?;
        let (manner, verified) = {
            let mut state = self.state();
            state.seen.last_head.clone_from(&asked.head);
            state.seen.tries.push(asked.id().to_owned());
            let verified = state.secrets.iter().any(|secret| asked.is_signed_with(secret));
            if !verified {
                state.seen.unverified += 1;
            }
            let manner = state.next.pop_front().unwrap_or_else(|| state.manner.clone());
            (manner, verified)
        };
        self.changed.notify_all();
        if !verified {
            return wire::write(&mut stream, 401, &[], "the signature is not ours");
        }
        match manner {
            Manner::Take => self.take(&asked, &mut stream),
            Manner::TakeLate(after) => {
                std::thread::sleep(after);
                self.take(&asked, &mut stream)
            }
            Manner::TakeAndCut => {
                self.keep(&asked);
                Ok(())
            }
            Manner::TakeAndHalfAnswer => {
                self.keep(&asked);
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n{\"delivery_id\":")?;
                stream.flush()
            }
            Manner::Refuse(reason) => {
                let id = asked.id();
                let word = format!(r#"{{"delivery_id":"{id}","outcome":"refused","reason":"{reason}"}}"#);
                wire::write(&mut stream, 200, &[], &word)
            }
            Manner::Answer(status, lines, body) => wire::write(&mut stream, status, &lines, &body),
            Manner::TakeAnother => {
                let word = r#"{"delivery_id":"00000000-0000-0000-0000-000000000000","outcome":"done"}"#;
                wire::write(&mut stream, 200, &[], word)
            }
            Manner::Hang => {
                let mut state = self.state();
                while !state.away {
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                Ok(())
            }
            Manner::EndlessBody => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
                endless(&mut stream, &[b' '; 4096])
            }
            Manner::EndlessHead => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
                endless(&mut stream, b"x-more: and more and more\r\n")
            }
            Manner::Garbage => stream.write_all(b"220 mail.example.vn ESMTP ready\r\n"),
        }
    }

    /// The effect, once for each id.
    fn keep(&self, asked: &Asked) {
        let mut state = self.state();
        let known = state.seen.inbox.iter_mut().find(|letter| letter.id == asked.id());
        if let Some(letter) = known {
            letter.times += 1;
        } else {
            state.seen.inbox.push(Letter {
                id: asked.id().to_owned(),
                body: asked.body.clone(),
                times: 1,
            });
        }
        drop(state);
        self.changed.notify_all();
    }

    fn take(&self, asked: &Asked, stream: &mut impl io::Write) -> io::Result<()> {
        self.keep(asked);
        let word = format!(r#"{{"delivery_id":"{}","outcome":"done"}}"#, asked.id());
        wire::write(stream, 200, &[], &word)
    }
}

/// Until the far side has had enough.
fn endless(stream: &mut impl io::Write, piece: &[u8]) -> io::Result<()> {
    loop {
        stream.write_all(piece)?;
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Receiver")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
