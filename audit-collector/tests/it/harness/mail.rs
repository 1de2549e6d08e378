//! A server of mail that keeps what it is given, and answers as a test says.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// The only user, and its password.
pub(crate) const LOGIN: (&str, &str) = ("gatelog", "hunter2");

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// How the server keeps connections private.
#[derive(Clone)]
pub(crate) enum Privacy {
    None,
    StartTls(TlsAcceptor),
    Tls(TlsAcceptor),
}

#[derive(Clone, Default)]
pub(crate) struct MailServer {
    /// Whole mails, as they were taken.
    mails: Arc<Mutex<Vec<String>>>,
    /// The first words of commands.
    commands: Arc<Mutex<Vec<String>>>,
    /// What the next recipients are answered; then all are taken.
    answers: Arc<Mutex<VecDeque<&'static str>>>,
}

impl MailServer {
    /// Serves on a port of its own, which is returned, until the test ends.
    pub(crate) async fn start(privacy: Privacy, answers: &[&'static str]) -> (Self, u16) {
        let listener = TcpListener::bind("localhost:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Self::default();
        server.answers.lock().unwrap().extend(answers);
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (server, privacy) = (serving.clone(), privacy.clone());
                // A client may break a conversation off.
                tokio::spawn(async move { server.serve(tcp, privacy).await });
            }
        });
        (server, port)
    }

    pub(crate) fn mails(&self) -> Vec<String> {
        self.mails.lock().unwrap().clone()
    }

    pub(crate) fn commands(&self) -> Vec<String> {
        self.commands.lock().unwrap().clone()
    }

    async fn serve(&self, tcp: tokio::net::TcpStream, privacy: Privacy) -> Option<()> {
        let greeting = b"220 mail.test ESMTP\r\n";
        let (mut stream, upgrade): (Box<dyn Stream>, _) = match privacy {
            Privacy::None => (Box::new(tcp), None),
            Privacy::StartTls(acceptor) => (Box::new(tcp), Some(acceptor)),
            Privacy::Tls(acceptor) => (Box::new(acceptor.accept(tcp).await.ok()?), None),
        };
        stream.write_all(greeting).await.ok()?;
        if let Some(acceptor) = upgrade {
            self.converse(&mut stream, true).await?;
            stream = Box::new(acceptor.accept(stream).await.ok()?);
        }
        self.converse(&mut stream, false).await
    }

    /// Converses until the client asks for TLS or the conversation ends, which is `None`.
    async fn converse(&self, stream: &mut Box<dyn Stream>, offers_tls: bool) -> Option<()> {
        loop {
            let line = line(stream).await?;
            let word = line
                .split([' ', ':'])
                .next()
                .unwrap_or_default()
                .to_ascii_uppercase();
            self.commands.lock().unwrap().push(word.clone());
            let answer = match word.as_str() {
                "EHLO" if offers_tls => "250-mail.test\r\n250 STARTTLS",
                "EHLO" => "250-mail.test\r\n250 AUTH PLAIN",
                "STARTTLS" => {
                    stream.write_all(b"220 go ahead\r\n").await.ok()?;
                    return Some(());
                }
                "AUTH" if line == format!("AUTH PLAIN {}", plain_login()) => "235 welcome",
                "AUTH" => "535 5.7.8 no such user",
                "RCPT" => self.answers.lock().unwrap().pop_front().unwrap_or("250 ok"),
                "DATA" => {
                    stream.write_all(b"354 go ahead\r\n").await.ok()?;
                    let mail = mail(stream).await?;
                    self.mails.lock().unwrap().push(mail);
                    "250 taken"
                }
                "QUIT" => {
                    stream.write_all(b"221 bye\r\n").await.ok()?;
                    return None;
                }
                _ => "250 ok",
            };
            stream.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
        }
    }
}

fn plain_login() -> String {
    STANDARD.encode(format!("\0{}\0{}", LOGIN.0, LOGIN.1))
}

async fn line(stream: &mut Box<dyn Stream>) -> Option<String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(line).unwrap().trim_end().to_owned())
}

/// Everything up to the lone dot.
async fn mail(stream: &mut Box<dyn Stream>) -> Option<String> {
    let mut mail = String::new();
    loop {
        let line = line(stream).await?;
        if line == "." {
            return Some(mail);
        }
        mail.push_str(&line);
        mail.push('\n');
    }
}
