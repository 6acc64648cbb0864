//! A client for tests.

use ::http::{HeaderMap, HeaderName, HeaderValue, header};
use simurgh_runtime::sync::Mutex;
use simurgh_web::{Body, Endpoint, Plug};

mod answer;
mod jar;
mod request;
mod transport;

pub use answer::Answer;
pub use jar::COOKIES_MAX;
pub use request::{Request, delete, get, head, options, patch, post, put, request};
pub use transport::{Failure, InMemory, Sending, Socket, Transport};

use jar::Jar;

/// Bytes of a response's body that are kept at most.
const BODY_LEN_MAX: usize = 16 << 20;

/// Sends requests, and keeps the cookies that come back for those that follow, as a browser does.
///
/// ```
/// use simurgh_test::{Http, get};
/// use simurgh_web::{Conn, Endpoint, Redirect, router};
///
/// async fn enter(conn: &mut Conn) -> Redirect {
///     conn.put_header("set-cookie", "visitor=7; Path=/; HttpOnly");
///     Redirect::to("/")
/// }
/// async fn home(conn: &mut Conn) -> String { format!("hello {}", conn.header("cookie").unwrap_or("stranger")) }
///
/// router! { get "/" => home; get "/enter" => enter; }
///
/// # simurgh_runtime::run("doc", async {
/// let http = Http::new(&Endpoint::new(router()));
/// assert_eq!(http.get("/").await.text_response(200), "hello stranger");
///
/// let entered = http.get("/enter").await;
/// assert_eq!(entered.redirected_to(), "/");
/// assert_eq!(http.follow(&entered).await.text_response(200), "hello visitor=7");
/// assert_eq!(http.cookie("visitor").as_deref(), Some("7"));
/// # });
/// ```
#[derive(Debug)]
pub struct Http {
    transport: Box<dyn Transport>,
    headers: HeaderMap,
    jar: Mutex<Jar>,
}

impl Http {
    /// Sends straight into an endpoint, without a socket. The client's address is one of loopback.
    pub fn new<P: Plug>(endpoint: &Endpoint<P>) -> Self {
        Self::over(InMemory::new(endpoint))
    }

    /// Sends over any other transport.
    pub fn over(transport: impl Transport) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("localhost"));
        Self { transport: Box::new(transport), headers, jar: Mutex::default() }
    }

    /// A header of each request that does not have it itself: `accept`, say.
    ///
    /// # Panics
    /// If name or value cannot be those of a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().expect("a header's name");
        self.headers.insert(name, value.parse().expect("a header's value"));
        self
    }

    /// Sends a request.
    ///
    /// # Panics
    /// If the transport fails.
    pub async fn send(&self, request: Request) -> Answer {
        let (mut head, body) = request.into_parts();
        for (name, value) in &self.headers {
            head.headers.entry(name).or_insert_with(|| value.clone());
        }
        if let Some(cookies) = self.jar.lock().header(head.uri.path(), head.headers.get(header::COOKIE)) {
            head.headers.insert(header::COOKIE, cookies);
        }
        let sent = (head.clone(), body.clone());
        let request = ::http::Request::from_parts(head, Body::from(body));
        let response = match self.transport.send(request).await {
            Ok(response) => response,
            Err(failure) => panic!("no response: {failure}\n{}", answer::request(&sent)),
        };
        let (head, body) = response.into_parts();
        self.jar.lock().keep(sent.0.uri.path(), &head.headers);
        Answer::new(sent, head, body.collect(BODY_LEN_MAX).await)
    }

    /// Sends a GET.
    pub async fn get(&self, target: &str) -> Answer {
        self.send(get(target)).await
    }

    /// Sends a GET to where a response leads.
    ///
    /// # Panics
    /// If it leads nowhere, or to another host.
    pub async fn follow(&self, answer: &Answer) -> Answer {
        let location = answer.redirected_to();
        assert!(location.starts_with('/') && !location.starts_with("//"), "{location} is not a path of this server");
        self.get(location).await
    }

    /// The value of a cookie that is kept.
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.jar.lock().get(name)
    }

    /// Keeps a cookie, for all paths.
    ///
    /// # Panics
    /// If name or value cannot be those of a cookie.
    pub fn put_cookie(&self, name: &str, value: &str) {
        let header = HeaderValue::try_from(format!("{name}={value}; Path=/")).expect("a cookie's name and value");
        self.jar.lock().keep("/", &HeaderMap::from_iter([(header::SET_COOKIE, header)]));
    }

    /// Forgets all cookies: the next request is a stranger's.
    pub fn forget_cookies(&self) {
        *self.jar.lock() = Jar::default();
    }
}
