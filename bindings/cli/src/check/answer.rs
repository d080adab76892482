//! What the server sees of a connection, and the answers that show it.

use std::fmt::Write as _;
use std::io;
use std::net::{SocketAddr, TcpStream};

use serde_json::{Value, json};
use subflows::{Info, State, Status, Subflow, address_text};

use super::request::{Asked, Form};
use crate::json;
use crate::units;

/// What the server sees of a connection.
pub(crate) struct Seen {
    client: SocketAddr,
    server: SocketAddr,
    status: Status,
    info: Option<Info>,
    subflows: Vec<Subflow>,
}

impl Seen {
    pub(super) fn by(stream: &TcpStream) -> io::Result<Seen> {
        let status = subflows::status(stream).map_err(io::Error::other)?;
        Ok(Seen {
            client: stream.peer_addr()?,
            server: stream.local_addr()?,
            status,
            // Plain TCP has neither.
            info: subflows::info(stream).ok(),
            subflows: subflows::list(stream).unwrap_or_default(),
        })
    }

    fn is_mptcp(&self) -> bool {
        self.status.state == State::Mptcp
    }

    /// Whether further subflows may still join.
    pub(super) fn may_grow(&self) -> bool {
        self.is_mptcp() && self.subflows.len() < 2
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "client": address_text::written(self.client),
            "server": address_text::written(self.server),
            "status": json::record(&self.status),
            "info": self.info.as_ref().map(|info| json::record(info)),
            "subflows": self.subflows.iter().map(|subflow| json::record(subflow)).collect::<Vec<_>>(),
        })
    }

    /// `192.0.2.1:40000  Multipath TCP, 2 subflows`
    pub(crate) fn line(&self) -> String {
        let what = match (self.is_mptcp(), self.subflows.len()) {
            (true, 1) => "Multipath TCP, 1 subflow".to_owned(),
            (true, count) => format!("Multipath TCP, {count} subflows"),
            _ => "plain TCP".to_owned(),
        };
        format!("{:<21}  {what}", address_text::written(self.client))
    }

    fn verdict(&self) -> (&'static str, &'static str) {
        match self.status.state {
            State::Mptcp if self.subflows.len() > 1 => {
                ("yes", "Your connection uses Multipath TCP, over several subflows.")
            }
            State::Mptcp => (
                "yes",
                "Your connection uses Multipath TCP, over one subflow so far: your system has not opened another \
                 one. See `ip mptcp endpoint`.",
            ),
            State::FellBack => (
                "no",
                "Your system asked for Multipath TCP, and the connection fell back to TCP: something on the way \
                 does not let Multipath TCP through.",
            ),
            _ => (
                "no",
                "Your connection is plain TCP: your program or your system did not ask for Multipath TCP, or \
                 something on the way removed the request.",
            ),
        }
    }

    /// The whole answer, with its header.
    pub(super) fn answer(&self, asked: Asked) -> Vec<u8> {
        let (kind, body) = match asked.form {
            Form::Text => ("text/plain; charset=utf-8", self.text()),
            Form::Json => ("application/json", format!("{}\n", self.json())),
            Form::Page => ("text/html; charset=utf-8", self.page()),
        };
        let header = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
             Vary: Accept\r\nX-Content-Type-Options: nosniff\r\n\
             Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n\
             Connection: close\r\n\r\n",
            body.len()
        );
        let body = if asked.is_head_only { "" } else { &body };
        [header.as_bytes(), body.as_bytes()].concat()
    }

    fn text(&self) -> String {
        let (yes, why) = self.verdict();
        let [client, server] = [self.client, self.server].map(address_text::written);
        let mut text =
            format!("Multipath TCP: {yes}\n{why}\n\nclient  {client}\nserver  {server}\n");
        for row in self.rows() {
            let [id, client, server, rtt] = row;
            let _ = writeln!(text, "subflow {id}  {client} -> {server}  {rtt}");
        }
        text
    }

    /// The id, both ends and the round-trip time of each subflow.
    fn rows(&self) -> impl Iterator<Item = [String; 4]> {
        self.subflows.iter().map(|subflow| {
            [
                subflow.id.to_string(),
                address_text::written(subflow.remote),
                address_text::written(subflow.local),
                units::microseconds(subflow.rtt_us.into()),
            ]
        })
    }

    /// Nothing in it comes from the client but its address.
    fn page(&self) -> String {
        let (yes, why) = self.verdict();
        let why = why.replace('`', "");
        let [client, server] = [self.client, self.server].map(address_text::written);
        let rows = self.rows().map(|row| row.map(|cell| format!("<td>{cell}</td>")).concat());
        let rows = rows.map(|row| format!("<tr>{row}</tr>\n")).collect::<Vec<_>>().concat();
        let table = if rows.is_empty() {
            String::new()
        } else {
            format!(
                "<table>\n<tr><th>subflow</th><th>your end</th><th>this end</th><th>round trip</th></tr>\n{rows}\
                 </table>\n"
            )
        };
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<title>Multipath TCP: {yes}</title>\n\
             <style>{STYLE}</style>\n</head>\n<body>\n<h1 class=\"{yes}\">Multipath TCP: {yes}</h1>\n<p>{why}</p>\n\
             <p>You are <code>{client}</code>, this server is <code>{server}</code>.</p>\n{table}</body>\n</html>\n"
        )
    }
}

const STYLE: &str = "body{font:16px/1.5 sans-serif;max-width:45em;margin:2em auto;padding:0 1em}\
                     h1.yes{color:#176f2c}h1.no{color:#a40e26}\
                     table{border-collapse:collapse}td,th{padding:.2em 1em .2em 0;text-align:left}";
