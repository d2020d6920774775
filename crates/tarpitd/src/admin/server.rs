//! The server's thread: it listens, and answers each connection within bounds.
//!
//! A connection costs at most its two buffers. Its head, its body and its reader have a limit of
//! size or time each; whoever exceeds one is closed.

use std::{
    convert::Infallible,
    future::poll_fn,
    io,
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError, mpsc as threads},
    task::{Context, Poll},
    thread,
    time::Duration,
};

use hyper::{
    Request, StatusCode,
    body::{Body as _, Incoming},
    server::conn::http1,
    service::service_fn,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    runtime,
    sync::{mpsc, watch},
    task::AbortHandle,
    time::{sleep, timeout},
};

use super::{
    answer::{Answer, line},
    connection::{Connection, Progress, Timers},
    host, page,
    places::{Place, Places},
    routes,
    world::World,
};
use crate::{os::admin_socket::UnixSocket, os::privileges, settings::Surface};

/// The longest head of a request, and the longest piece of an answer that waits; the least that
/// hyper allows.
const BUFFER: usize = 8 * 1024;

/// How long a client may take for a head, and between two requests; and the same for a body.
const ASKING: Duration = Duration::from_secs(5);

/// How long a connection may go on asking. Its last answer may then take what each may, so that a
/// reader who asks for many has no more time than that in all. Streams go on.
const LASTING: Duration = Duration::from_secs(15);

/// How often counters are saved.
const SAVING: Duration = Duration::from_secs(60);

/// How long the server accepts nothing when the system runs out of something.
const PAUSE: Duration = Duration::from_millis(200);

/// How long answers under way may take once the last listener is closed: that to the reload which
/// closes the control socket is one of them.
const PARTING: Duration = Duration::from_secs(10);

/// How long the daemon waits for the server to obey.
const OBEYED: Duration = Duration::from_millis(500);

/// Files that the server has open besides its listeners: connections, poll, waker.
pub(crate) const FILES: u64 = (super::places::EACH * Surface::ALL.len()) as u64 + 4;

/// The running server.
#[derive(Debug)]
pub(crate) struct Admin {
    orders: mpsc::UnboundedSender<Order>,
}

/// A socket that listens for a surface.
#[derive(Debug)]
pub(crate) struct Listener {
    /// By which the daemon names it.
    pub(crate) key: u64,
    pub(crate) surface: Surface,
    pub(crate) socket: Socket,
}

/// Where connections come in.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(std::net::TcpListener),
    Unix(UnixSocket),
}

/// What the daemon tells the server.
struct Order {
    /// What handlers see from now on; `None`: the same as before.
    world: Option<World>,
    /// The listeners that stay; all others are closed.
    keep: Vec<u64>,
    new: Vec<Listener>,
    /// Dropped once it is carried out.
    _pending: threads::Sender<Infallible>,
}

impl Admin {
    /// Starts the server.
    pub(crate) fn start(world: World, listeners: Vec<Listener>) -> io::Result<Self> {
        let (orders, receiver) = mpsc::unbounded_channel();
        let runtime = runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_io_events_per_tick(64)
            .build()?;
        let admin = Self { orders };
        let server =
            Server { world: Mutex::new(Arc::new(world)), places: Arc::new(Places::default()) };
        let run = move || runtime.block_on(serve(receiver, Arc::new(server)));
        thread::Builder::new().name("admin".to_owned()).stack_size(256 * 1024).spawn(run)?;
        admin.order(None, Vec::new(), listeners);
        Ok(admin)
    }

    /// Puts another world in force, keeps these listeners, closes the others and opens new ones.
    /// The ports of closed ones are free afterwards.
    pub(crate) fn order(&self, world: Option<World>, keep: Vec<u64>, new: Vec<Listener>) {
        let (pending, carried_out) = threads::channel();
        // If this fails, the server's thread has ended, and with it its listeners.
        let _ = self.orders.send(Order { world, keep, new, _pending: pending });
        // Nothing is ever sent: the channel is disconnected when the order is carried out.
        let _ = carried_out.recv_timeout(OBEYED);
    }
}

/// What all connections share.
struct Server {
    world: Mutex<Arc<World>>,
    places: Arc<Places>,
}

impl Server {
    fn world(&self) -> Arc<World> {
        Arc::clone(&self.world.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A listener's task and connections.
struct Listening {
    key: u64,
    task: AbortHandle,
    /// Told when the socket closes. Its connections have the other end.
    closing: watch::Sender<()>,
}

impl Listening {
    /// Closes the socket. Its connections answer what they were asked, and end.
    fn close(&self) {
        self.task.abort();
        self.closing.send_replace(());
    }
}

/// Obeys the daemon until it drops its end, after an order that keeps no listener.
async fn serve(mut orders: mpsc::UnboundedReceiver<Order>, server: Arc<Server>) {
    let (mut all, mut closed) = (Vec::<Listening>::new(), Vec::<Listening>::new());
    tokio::spawn(save(Arc::clone(&server)));
    tokio::spawn(sample(Arc::clone(&server)));
    while let Some(Order { world, keep, new, _pending: pending }) = orders.recv().await {
        if let Some(world) = world {
            *server.world.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(world);
        }
        // They show what was in force before, perhaps to readers who may not see the page any more.
        server.places.end_streams(Surface::Web);
        closed.retain(|listening| !listening.closing.is_closed());
        for listening in all.extract_if(.., |listening| !keep.contains(&listening.key)) {
            listening.close();
            closed.push(listening);
        }
        for Listener { key, surface, socket } in new {
            let (closing, is_closing) = watch::channel(());
            let port = Port { surface, server: Arc::clone(&server), is_closing };
            let task = tokio::spawn(port.listen(socket)).abort_handle();
            all.push(Listening { key, task, closing });
        }
        // An aborted task ends at its next turn, which comes before this one's.
        tokio::task::yield_now().await;
        drop(pending);
    }
    let parting = async {
        for listening in closed {
            listening.closing.closed().await;
        }
    };
    // Who is still being answered then is cut off.
    let _ = timeout(PARTING, parting).await;
}

/// Keeps what the page shows of the last day, for ever.
async fn sample(server: Arc<Server>) {
    loop {
        sleep(page::SAMPLED_EVERY).await;
        page::sample(&server.world());
    }
}

/// Saves counters now and then, for ever.
async fn save(server: Arc<Server>) {
    loop {
        sleep(SAVING).await;
        server.world().save();
    }
}

/// What a listener and its connections know.
#[derive(Clone)]
struct Port {
    surface: Surface,
    server: Arc<Server>,
    is_closing: watch::Receiver<()>,
}

impl Port {
    /// Accepts connections at a socket for ever.
    async fn listen(self, socket: Socket) {
        // A socket that the runtime cannot watch is closed: there is no file left for it.
        match socket {
            Socket::Tcp(socket) => {
                let Ok(listener) = TcpListener::from_std(socket) else { return };
                let is_near = listener.local_addr().is_ok_and(|it| it.ip().is_loopback());
                loop {
                    let accepted = listener.accept().await;
                    let accepted = accepted.map(|(socket, _)| Stream::Tcp(socket));
                    self.receive(accepted, Peer { is_us: false, is_near }).await;
                }
            }
            Socket::Unix(socket) => {
                let has_group = socket.has_group;
                let (socket, _file) = socket.split();
                let Ok(listener) = UnixListener::from_std(socket) else { return };
                loop {
                    let accepted = listener.accept().await.map(|(socket, _)| socket);
                    let peer = accepted.as_ref().ok().and_then(|it| it.peer_cred().ok());
                    let is_us = peer.is_some_and(|peer| privileges::is_us(peer.uid()));
                    // The file's mode keeps others out; this holds even if somebody changes it.
                    let is_guarded = self.surface == Surface::Control && !has_group;
                    if is_guarded && accepted.is_ok() && !is_us {
                        continue;
                    }
                    self.receive(accepted.map(Stream::Unix), Peer { is_us, is_near: false }).await;
                }
            }
        }
    }

    /// Gives an accepted connection a place. Until there is one, further connections wait in the
    /// kernel's queue.
    async fn receive(&self, accepted: io::Result<Stream>, peer: Peer) {
        let Ok(socket) = accepted else {
            // Mostly there are too many open files; to try again at once would only spin.
            sleep(PAUSE).await;
            return;
        };
        let places = &self.server.places;
        let place = loop {
            match places.take(self.surface, self.server.world().clock.since_start()) {
                Ok(place) => break place,
                Err(wait) => places.freed(self.surface, wait).await,
            }
        };
        let progress = Arc::clone(place.progress());
        let task = tokio::spawn(self.clone().converse(socket, peer, place));
        places.name(self.surface, &progress, task.abort_handle());
    }

    /// Answers one connection's requests until it ends.
    async fn converse(mut self, socket: Stream, peer: Peer, place: Place) {
        let progress = Arc::clone(place.progress());
        let connection = Connection::new(socket, Arc::clone(&progress));
        let (surface, server) = (self.surface, Arc::clone(&self.server));
        let service = service_fn(move |mut request: Request<Incoming>| {
            let (progress, server) = (Arc::clone(&progress), Arc::clone(&server));
            request.extensions_mut().insert(peer);
            async move {
                let mut answer = answer(surface, request, server.world(), &progress).await;
                answer.body_mut().follow(Arc::clone(&progress));
                if surface == Surface::Web && progress.streams() {
                    server.places.limit_streams(surface, &progress);
                }
                Ok::<_, Infallible>(answer)
            }
        });
        let mut connection = pin!(
            http1::Builder::new()
                .timer(Timers)
                .header_read_timeout(ASKING)
                .max_buf_size(BUFFER)
                .serve_connection(connection, service)
                .with_upgrades()
        );
        let mut closing = pin!(timeout(LASTING, self.is_closing.changed()));
        let mut is_closing = false;
        let end = poll_fn(|context| {
            if !is_closing && closing.as_mut().poll(context).is_ready() {
                is_closing = true;
                connection.as_mut().graceful_shutdown();
            }
            connection.as_mut().poll(context)
        });
        // How a connection ends is its client's affair.
        let _ = end.await;
    }
}

/// The answer to a request.
async fn answer(
    surface: Surface,
    request: Request<Incoming>,
    world: Arc<World>,
    progress: &Progress,
) -> Answer {
    if let Err(what) = host::name(&request) {
        return line(StatusCode::BAD_REQUEST, what);
    }
    let handler = match routes::find(surface, request.method(), request.uri().path()) {
        Ok(handler) => handler,
        Err(miss) => return miss.answer(surface),
    };
    let (head, body) = request.into_parts();
    match timeout(ASKING, read(body, surface.longest_body())).await {
        Ok(Some(body)) => {
            progress.works();
            handler(Request::from_parts(head, body), world).await
        }
        Ok(None) => line(StatusCode::PAYLOAD_TOO_LARGE, "the request's body is too long"),
        Err(_) => line(StatusCode::REQUEST_TIMEOUT, "the request's body is late"),
    }
}

/// The whole body of a request; `None` if it is longer than `most`, or does not come whole.
async fn read(mut body: Incoming, most: usize) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        // What is no data are trailers, which say nothing here.
        let Ok(data) = frame.ok()?.into_data() else { continue };
        if all.len() + data.len() > most {
            return None;
        }
        all.extend_from_slice(&data);
    }
    Some(all)
}

/// Who is at the other end of a connection. Handlers find it among the request's extensions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    /// Whether it is root or this process's own user.
    pub(super) is_us: bool,
    /// Whether the listener has a loopback address, which a browser of this machine reaches by any
    /// name that leads there.
    pub(super) is_near: bool,
}

/// A connection of either kind.
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_read(context, out),
            Self::Unix(socket) => Pin::new(socket).poll_read(context, out),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_write(context, bytes),
            Self::Unix(socket) => Pin::new(socket).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_flush(context),
            Self::Unix(socket) => Pin::new(socket).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_shutdown(context),
            Self::Unix(socket) => Pin::new(socket).poll_shutdown(context),
        }
    }
}
