//! A proxy between PostgreSQL's clients and its server. It knows where a message begins and ends, counts
//! the messages, and holds them up or cuts the connections at one of them. It knows nothing of what they
//! say, but for those that begin and end a round trip.

use std::collections::HashMap;
use std::io::{BufReader, Error, ErrorKind, Read, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::random::Random;

/// The length of a message, which is not a gigabyte in any test.
const LONGEST: usize = 1 << 30;

/// What a client asks for in the place of a start, to speak TLS or GSSAPI from then on.
const ENCRYPTION_REQUESTS: [u32; 2] = [80_877_103, 80_877_104];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    ToServer,
    ToClient,
}

/// Where to cut all the connections. It is done once.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    pub direction: Direction,
    /// The number of the message among all in this direction, from 1 on, since the last
    /// [`forget`](Proxy::forget).
    pub message: u64,
    /// Whether this message is passed on before. None after it is, in either direction.
    pub passed_on: bool,
}

/// What went through since the last [`forget`](Proxy::forget).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections opened.
    pub connections: u64,
    /// Messages that clients sent. The start of a connection is one. The request to speak TLS, which the
    /// proxy itself answers, is none.
    pub to_server: u64,
    /// Messages that the server sent.
    pub to_client: u64,
    /// Messages after which a client waits for an answer: `Query`, `Sync`.
    pub asked: u64,
    /// How often a client went on to send when it had its answer (`ReadyForQuery`). What it sends without
    /// waiting is one round trip. The start of a connection is none.
    pub round_trips: u64,
}

/// A proxy in front of one server, at a port of its own.
pub struct Proxy {
    shared: Arc<Shared>,
    port: u16,
    listener: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    server: u16,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    counts: Counts,
    connections: HashMap<u64, Connection>,
    /// The number of the last connection.
    last: u64,
    cut: Option<Cut>,
    cuts: u64,
    /// From which message on messages wait, in either direction.
    hold: [Option<u64>; 2],
    /// How many threads hold a message now.
    holding: [u64; 2],
    delay: [Duration; 2],
    garbling: Option<Garbling>,
    refuses: bool,
}

/// Changes a byte of what the server says from time to time.
struct Garbling {
    random: Random,
    /// How many bytes pass before the next that is changed.
    left: usize,
}

impl Garbling {
    const MOST_BETWEEN: usize = 2_000;

    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let left = random.below(Self::MOST_BETWEEN);
        Garbling { random, left }
    }

    fn change(&mut self, bytes: &mut [u8]) {
        let mut at = self.left;
        while let Some(byte) = bytes.get_mut(at) {
            *byte = u8::try_from(self.random.below(256)).unwrap();
            at += 1 + self.random.below(Self::MOST_BETWEEN);
        }
        self.left = at - bytes.len();
    }
}

struct Connection {
    client: TcpStream,
    server: TcpStream,
    /// Whether the client has its answer, and has sent nothing since.
    answered: bool,
    /// Whether one of the two directions has ended.
    half: bool,
}

/// What is done with a message.
enum Fate {
    Pass,
    Drop,
    /// Passed on, and then these are cut. They have passed nothing on since.
    PassAndCut(Vec<Connection>),
}

/// What a message does for a round trip.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The client asks for an answer.
    Ask,
    /// The server has answered.
    Ready,
    Other,
}

struct Message {
    bytes: Vec<u8>,
    kind: Kind,
    /// Whether nothing else had arrived before it.
    first: bool,
}

impl Proxy {
    /// A proxy in front of the server at this port of this machine.
    pub fn start(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let shared = Arc::new(Shared {
            server,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let port = listener.local_addr().unwrap().port();
        let listening = listen(listener, &shared);
        Proxy {
            shared,
            port,
            listener: Mutex::new(Some(listening)),
        }
    }

    /// The same database, through this proxy.
    pub fn url(&self, url: &str) -> String {
        let server = format!("@127.0.0.1:{}/", self.shared.server);
        assert!(url.contains(&server), "not of this server: {url}");
        url.replace(&server, &format!("@127.0.0.1:{}/", self.port))
    }

    pub fn counts(&self) -> Counts {
        self.shared.state().counts
    }

    /// Counts from zero on, once every open connection has its answers. (A client may go on before it has
    /// read the end of one.)
    #[track_caller]
    pub fn forget(&self) {
        crate::eventually("every connection has its answers", || {
            let mut state = self.shared.state();
            let all = state.connections.values().all(|of| of.answered);
            all.then(|| state.counts = Counts::default())
        });
    }

    /// Cuts every connection when it comes to this message. Connections after that are let through.
    pub fn cut_at(&self, cut: Cut) {
        self.shared.state().cut = Some(cut);
    }

    /// How often all connections were cut at a message.
    pub fn cuts(&self) -> u64 {
        self.shared.state().cuts
    }

    /// Cuts every connection now.
    pub fn cut(&self) {
        let cut = self.shared.state().take_all();
        self.shared.changed.notify_all();
        close(cut);
    }

    /// Holds the message of this number, and all after it in its direction, until
    /// [`go_on`](Self::go_on). They are counted. The connections stay open.
    pub fn hold_from(&self, direction: Direction, message: u64) {
        self.shared.state().hold[direction as usize] = Some(message);
    }

    /// Waits until a message is held.
    #[track_caller]
    pub fn wait_until_held(&self, direction: Direction) {
        crate::eventually("a message is held", || {
            (self.shared.state().holding[direction as usize] > 0).then_some(())
        });
    }

    /// Passes everything on later by this time, as a network between two places does.
    pub fn delay(&self, direction: Direction, by: Duration) {
        self.shared.state().delay[direction as usize] = by;
    }

    /// Changes bytes of what the server says from now on, as the seed has it.
    pub fn garble(&self, seed: u64) {
        self.shared.state().garbling = Some(Garbling::new(seed));
    }

    /// Refuses new connections, as a machine does where no server listens. The open ones stay.
    pub fn refuse(&self) {
        let mut listener = self.listener.lock().unwrap();
        let Some(listening) = listener.take() else {
            return;
        };
        self.shared.state().refuses = true;
        // It waits for a connection. It may have had one just before.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        listening.join().unwrap();
    }

    /// Ends whatever was asked for: refusing, holding, delaying, a cut that has not come.
    pub fn go_on(&self) {
        let mut state = self.shared.state();
        state.cut = None;
        state.hold = [None; 2];
        state.delay = [Duration::ZERO; 2];
        state.refuses = false;
        drop(state);
        self.shared.changed.notify_all();
        let mut listener = self.listener.lock().unwrap();
        listener.get_or_insert_with(|| {
            let again = TcpListener::bind(("127.0.0.1", self.port)).unwrap();
            listen(again, &self.shared)
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.refuse();
        self.cut();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Counts a message, waits for as long as it is held, and says what to do with it.
    fn arrive(&self, of: u64, direction: Direction, message: &Message) -> Fate {
        let mut state = self.state();
        let number = state.count(of, direction, message);
        let held = |state: &mut State| {
            let from = state.hold[direction as usize];
            from.is_some_and(|from| number >= from) && state.connections.contains_key(&of)
        };
        if held(&mut state) {
            state.holding[direction as usize] += 1;
            state = self.changed.wait_while(state, held).unwrap();
            state.holding[direction as usize] -= 1;
        }
        if !state.connections.contains_key(&of) {
            return Fate::Drop;
        }
        let here = |cut: &mut Cut| (cut.direction, cut.message) == (direction, number);
        let Some(cut) = state.cut.take_if(here) else {
            return Fate::Pass;
        };
        state.cuts += 1;
        // Before the message is passed on, so that its answer is not.
        let all = state.take_all();
        drop(state);
        self.changed.notify_all();
        if cut.passed_on {
            return Fate::PassAndCut(all);
        }
        close(all);
        Fate::Drop
    }

    fn delay(&self, direction: Direction) -> Duration {
        self.state().delay[direction as usize]
    }
}

impl State {
    fn count(&mut self, of: u64, direction: Direction, message: &Message) -> u64 {
        let counts = &mut self.counts;
        let mut answered = message.kind == Kind::Ready;
        if let Some(connection) = self.connections.get_mut(&of) {
            std::mem::swap(&mut connection.answered, &mut answered);
        }
        match direction {
            Direction::ToServer => {
                counts.round_trips += u64::from(answered && message.first);
                counts.asked += u64::from(message.kind == Kind::Ask);
                counts.to_server += 1;
                counts.to_server
            }
            Direction::ToClient => {
                counts.to_client += 1;
                counts.to_client
            }
        }
    }

    fn take_all(&mut self) -> Vec<Connection> {
        self.connections.drain().map(|(_, of)| of).collect()
    }
}

/// Cuts connections on both sides.
fn close(connections: Vec<Connection>) {
    for connection in connections {
        // Either side may have closed it.
        drop(connection.client.shutdown(Shutdown::Both));
        drop(connection.server.shutdown(Shutdown::Both));
    }
}

fn listen(listener: TcpListener, shared: &Arc<Shared>) -> JoinHandle<()> {
    let shared = Arc::clone(shared);
    std::thread::spawn(move || {
        for client in listener.incoming() {
            if shared.state().refuses {
                return;
            }
            // A server that does not listen refuses the client as well: its connection ends at once.
            drop(client.and_then(|client| connect(&shared, client)));
        }
    })
}

/// Joins a client to the server.
fn connect(shared: &Arc<Shared>, client: TcpStream) -> Result<(), Error> {
    let server = TcpStream::connect(("127.0.0.1", shared.server))?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let connection = Connection {
        client: client.try_clone()?,
        server: server.try_clone()?,
        answered: false,
        half: false,
    };
    let to_server = (client.try_clone()?, server.try_clone()?);
    let mut state = shared.state();
    state.counts.connections += 1;
    state.last += 1;
    let of = state.last;
    state.connections.insert(of, connection);
    drop(state);
    for (direction, (from, to)) in [
        (Direction::ToServer, to_server),
        (Direction::ToClient, (server, client)),
    ] {
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            // Either side may go at any time.
            drop(pass_on(&shared, of, direction, from, &to));
            drop(to.shutdown(Shutdown::Write));
            let mut state = shared.state();
            let connection = state.connections.get_mut(&of);
            if connection.is_some_and(|of| std::mem::replace(&mut of.half, true)) {
                state.connections.remove(&of);
            }
        });
    }
    Ok(())
}

/// Passes messages on in one direction, until its end.
fn pass_on(
    shared: &Shared,
    of: u64,
    direction: Direction,
    from: TcpStream,
    to: &TcpStream,
) -> Result<(), Error> {
    let mut from = BufReader::with_capacity(1 << 16, from);
    if direction == Direction::ToServer {
        let start = read_start(&mut from)?;
        if !pass(shared, of, direction, &start, to)? {
            return Ok(());
        }
    }
    loop {
        let message = read_message(&mut from, direction)?;
        if !pass(shared, of, direction, &message, to)? {
            return Ok(());
        }
    }
}

/// Whether the connection goes on.
fn pass(
    shared: &Shared,
    of: u64,
    direction: Direction,
    message: &Message,
    mut to: &TcpStream,
) -> Result<bool, Error> {
    if message.first {
        std::thread::sleep(shared.delay(direction));
    }
    let fate = shared.arrive(of, direction, message);
    let mut bytes = message.bytes.clone();
    if direction == Direction::ToClient
        && let Some(garbling) = &mut shared.state().garbling
    {
        garbling.change(&mut bytes);
    }
    match fate {
        Fate::Pass => to.write_all(&bytes).map(|()| true),
        Fate::Drop => Ok(false),
        Fate::PassAndCut(all) => {
            let passed = to.write_all(&bytes);
            close(all);
            passed.map(|()| false)
        }
    }
}

/// A message with a letter in front.
fn read_message(from: &mut BufReader<TcpStream>, direction: Direction) -> Result<Message, Error> {
    let first = from.buffer().is_empty();
    let mut letter = [0];
    from.read_exact(&mut letter)?;
    let kind = match (direction, letter) {
        (Direction::ToServer, [b'Q' | b'S']) => Kind::Ask,
        (Direction::ToClient, [b'Z']) => Kind::Ready,
        _ => Kind::Other,
    };
    let mut bytes = letter.to_vec();
    read_body(from, &mut bytes)?;
    Ok(Message { bytes, kind, first })
}

/// The first message of a client, which has no letter. A wish to encrypt is refused before.
fn read_start(from: &mut BufReader<TcpStream>) -> Result<Message, Error> {
    loop {
        let mut bytes = Vec::new();
        read_body(from, &mut bytes)?;
        let code = bytes.get(4..8).and_then(|code| code.try_into().ok());
        let code = code.map_or(0, u32::from_be_bytes);
        if !ENCRYPTION_REQUESTS.contains(&code) {
            return Ok(Message {
                bytes,
                kind: Kind::Other,
                first: true,
            });
        }
        from.get_ref().write_all(b"N")?;
    }
}

/// A length, which counts itself, and what it is the length of.
fn read_body(from: &mut impl Read, bytes: &mut Vec<u8>) -> Result<(), Error> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    bytes.extend_from_slice(&length);
    let rest = usize::try_from(u32::from_be_bytes(length)).unwrap();
    let rest = rest.checked_sub(4).filter(|&rest| rest < LONGEST);
    let rest = rest.ok_or_else(|| Error::from(ErrorKind::InvalidData))?;
    let start = bytes.len();
    bytes.resize(start + rest, 0);
    from.read_exact(&mut bytes[start..])
}
