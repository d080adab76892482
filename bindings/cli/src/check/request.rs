//! Requests to the check service.

use httparse::{EMPTY_HEADER, Error, Status};

/// The longest request that is read, in bytes. It is ample for a browser's.
pub(super) const LONGEST: usize = 8192;
const HEADERS: usize = 64;

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Json,
    Page,
}

/// What a client asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) form: Form,
    /// Only the header of the answer (HEAD).
    pub(super) is_head_only: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Its end has not been read yet.
    Partial,
    Complete(Asked),
    /// With the whole answer.
    Refused(String),
}

pub(super) fn parse(text: &[u8]) -> Request {
    let mut headers = [EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(text) {
        Ok(Status::Partial) if text.len() <= LONGEST => return Request::Partial,
        Ok(Status::Partial) | Err(Error::TooManyHeaders) => {
            return refused("431 Request Header Fields Too Large", "");
        }
        Ok(Status::Complete(_)) => {}
        Err(_) => return refused("400 Bad Request", ""),
    }
    let is_head_only = match request.method {
        Some("GET") => false,
        Some("HEAD") => true,
        _ => return refused("405 Method Not Allowed", "Allow: GET, HEAD\r\n"),
    };
    let path = request.path.unwrap_or_default();
    if path.split('?').next() != Some("/") {
        return refused("404 Not Found", "");
    }
    let accept = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case("accept"));
    let accept =
        String::from_utf8_lossy(accept.map_or(&[], |header| header.value)).to_ascii_lowercase();
    Request::Complete(Asked { form: form(&accept), is_head_only })
}

/// The form that is named first; text if none is, as by curl.
fn form(accept: &str) -> Form {
    let types = accept.split(',').filter_map(|part| part.split(';').next());
    let known = |name: &str| match name.trim() {
        "application/json" => Some(Form::Json),
        "text/html" => Some(Form::Page),
        "text/plain" => Some(Form::Text),
        _ => None,
    };
    types.filter_map(known).next().unwrap_or(Form::Text)
}

fn refused(status: &str, header: &str) -> Request {
    let length = status.len() + 1;
    Request::Refused(format!(
        "HTTP/1.1 {status}\r\n{header}Content-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{status}\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(accept: &str) -> Form {
        let text = format!("GET / HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n\r\n");
        match parse(text.as_bytes()) {
            Request::Complete(asked) => asked.form,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_client_chooses_the_form() {
        assert_eq!(asked("*/*"), Form::Text);
        assert_eq!(asked("application/json"), Form::Json);
        assert_eq!(
            asked("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
            Form::Page
        );
        assert_eq!(asked("image/png, Application/JSON;q=0.5, text/html"), Form::Json);
    }

    #[test]
    fn what_is_not_a_request_is_refused() {
        for (text, status) in [
            ("\0\0\0\0", "400"),
            ("SSH-2.0-OpenSSH_9\r\n\r\n", "400"),
            ("POST / HTTP/1.1\r\n\r\n", "405"),
            ("GET /favicon.ico HTTP/1.1\r\n\r\n", "404"),
        ] {
            let Request::Refused(answer) = parse(text.as_bytes()) else { panic!("{text:?}") };
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{text:?}: {answer}");
        }
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(HEADERS + 1));
        let long = format!("GET /{}", "x".repeat(LONGEST));
        for text in [many, long] {
            assert!(
                matches!(parse(text.as_bytes()), Request::Refused(answer) if answer.contains("431"))
            );
        }
        assert_eq!(parse(b"GET / HTTP/1.1\r\nHost"), Request::Partial);
    }

    proptest::proptest! {
        #[test]
        fn random_bytes_are_answered(text: Vec<u8>) {
            parse(&text);
        }
    }
}
