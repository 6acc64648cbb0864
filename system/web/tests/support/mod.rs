//! A browser whose answers are read to their end.

#![allow(dead_code, unreachable_pub)] // each test uses a part of it

use http::{HeaderMap, Method};
use simurgh_web::{Body, Endpoint, Plug, test};

/// What a browser has kept.
#[derive(Default, Clone)]
pub struct Browser(pub test::Browser);

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    /// The values of a header.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).iter().map(|value| value.to_str().expect("text")).collect()
    }

    /// The only value of a header.
    pub fn one(&self, name: &str) -> &str {
        match self.all(name).as_slice() {
            [one] => one,
            other => panic!("{name}: {other:?}"),
        }
    }
}

impl Browser {
    pub async fn get<P: Plug>(&mut self, endpoint: &Endpoint<P>, target: &str) -> Answer {
        self.send(endpoint, Method::GET, target, &[], "").await
    }

    pub async fn send<P: Plug>(
        &mut self,
        endpoint: &Endpoint<P>,
        method: Method,
        target: &str,
        headers: &[(&'static str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = test::request(method, target, body);
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().expect("a header"));
        }
        let response = self.0.send(endpoint, request).await;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, text: test::text(response).await }
    }

    /// All its cookies.
    pub fn cookies(&self) -> String {
        self.0.cookie_header()
    }
}
