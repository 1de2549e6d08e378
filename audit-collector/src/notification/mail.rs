//! A message as mail, and how it is handed to a server (RFC 5321, RFC 5322).

use std::fmt;
use std::time::{Duration, SystemTime};

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, header};
use lettre::transport::smtp;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use tokio::time::timeout;

use super::notice::Notice;

/// How long handing a message over may take, connecting included.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// A server of mail, and who is written to. It is known to nobody that knows no password, and its password is never shown.
#[derive(Clone)]
pub struct MailTarget {
    from: Mailbox,
    to: Vec<Mailbox>,
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

/// How a connection is kept private.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Security {
    /// By TLS after `STARTTLS`, without which nothing is sent (RFC 3207).
    #[default]
    StartTls,
    /// By TLS from the first byte (RFC 8314).
    Tls,
    /// Not at all; on this machine only.
    None,
}

/// A server of mail.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) security: Security,
    pub(super) credentials: Option<Credentials>,
    /// Whom its certificate is trusted by, instead of those whom the machine trusts.
    pub(super) authorities: Vec<Certificate>,
}

/// Why a mail was not handed over.
#[derive(Debug, thiserror::Error)]
pub(super) enum MailError {
    #[error("the mail cannot be written: {0}")]
    Unwritable(#[from] lettre::error::Error),
    #[error("{0}")]
    Smtp(#[from] smtp::Error),
    #[error("the server did not take the mail in time")]
    TimedOut,
}

impl fmt::Debug for MailTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MailTarget(…)")
    }
}

impl MailTarget {
    /// Mail from `from` to all of `to`, by `server`.
    pub(super) fn new(from: Mailbox, to: Vec<Mailbox>, server: Server) -> Result<Self, smtp::Error> {
        let parameters = || {
            let mut builder = TlsParameters::builder(server.host.clone());
            if !server.authorities.is_empty() {
                builder = builder.certificate_store(CertificateStore::None);
            }
            for authority in server.authorities.clone() {
                builder = builder.add_root_certificate(authority);
            }
            builder.build()
        };
        let tls = match server.security {
            Security::StartTls => Tls::Required(parameters()?),
            Security::Tls => Tls::Wrapper(parameters()?),
            Security::None => Tls::None,
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&server.host)
            .port(server.port)
            .tls(tls)
            .hello_name(ClientId::Domain(from.email.domain().to_owned()))
            .timeout(Some(SEND_TIMEOUT));
        if let Some(credentials) = server.credentials {
            transport = transport.credentials(credentials);
        }
        Ok(Self {
            from,
            to,
            transport: transport.build(),
        })
    }

    /// Hands a message over; what the server answered.
    pub(super) async fn send(&self, notice: &Notice) -> Result<u16, MailError> {
        let mail = self.mail(notice)?;
        let answer = timeout(SEND_TIMEOUT, self.transport.send(mail)).await;
        let answer = answer.map_err(|_| MailError::TimedOut)??;
        Ok(answer.code().into())
    }

    /// The mail. Its `Message-ID` is that of the message, so that programs of mail know a repetition.
    fn mail(&self, notice: &Notice) -> Result<Message, lettre::error::Error> {
        let made_at = u64::try_from(notice.made_at.as_micros()).unwrap_or_default();
        let id = format!("<{}@{}>", notice.id, self.from.email.domain());
        let mut mail = Message::builder()
            .from(self.from.clone())
            .subject(format!("[Gatelog] {}", notice.headline()))
            .date(SystemTime::UNIX_EPOCH + Duration::from_micros(made_at))
            .message_id(Some(id))
            .header(AutoSubmitted)
            .header(ContentType::TEXT_PLAIN);
        for to in &self.to {
            mail = mail.to(to.clone());
        }
        mail.body(notice.text())
    }
}

/// That no person wrote it, so that no program answers it (RFC 3834 §5).
#[derive(Clone)]
struct AutoSubmitted;

impl header::Header for AutoSubmitted {
    fn name() -> header::HeaderName {
        header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> header::HeaderValue {
        header::HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::notice::tests::about;
    use super::*;

    fn target() -> MailTarget {
        let server = Server {
            host: "127.0.0.1".to_owned(),
            port: 25,
            security: Security::None,
            credentials: None,
            authorities: Vec::new(),
        };
        let to = vec!["soc@example.test".parse().unwrap()];
        MailTarget::new("Gatelog <gatelog@example.test>".parse().unwrap(), to, server).unwrap()
    }

    /// The names of the headers, and everything.
    fn written(title: &str) -> (Vec<String>, String) {
        let mut notice = about("alice");
        title.clone_into(&mut notice.alert.title);
        let mail = String::from_utf8(target().mail(&notice).unwrap().formatted()).unwrap();
        let (head, _) = mail.split_once("\r\n\r\n").unwrap();
        let is_first = |line: &&str| !line.starts_with([' ', '\t']);
        let names = head.lines().filter(is_first);
        let names = names.map(|line| line.split(':').next().unwrap().to_owned());
        (names.collect(), mail)
    }

    #[test]
    fn a_mail_says_that_no_person_wrote_it_and_has_the_id_of_its_message() {
        let (names, mail) = written("Bröken");

        let expected = [
            "From",
            "Subject",
            "Date",
            "Message-ID",
            "Auto-Submitted",
            "Content-Type",
            "To",
            "Content-Transfer-Encoding",
        ];
        assert_eq!(names, expected, "{mail}");
        assert!(mail.contains("Message-ID: <00000000-0000-0000-0000-000000000000@example.test>\r\n"));
        assert!(mail.contains("Auto-Submitted: auto-generated\r\n"));
        assert!(mail.contains("Date: Thu, 15 Jan 2026 00:00:00 +0000\r\n"));
    }

    #[test]
    fn a_line_end_in_a_name_makes_no_header() {
        let (names, mail) = written("x\r\nBcc: thief@example.test\r\n\r\nHello");

        assert!(!names.contains(&"Bcc".to_owned()), "{mail}");
        assert!(!mail.lines().any(|line| line.starts_with("Hello")), "{mail}");
    }

    proptest! {
        #[test]
        fn no_title_makes_a_header(title in any::<String>()) {
            prop_assert_eq!(written(&title).0, written("x").0);
        }
    }
}
