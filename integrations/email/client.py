"""E-mail as a Pager: the mails of one incident form a thread and say that a machine wrote them."""

import asyncio
import smtplib
import ssl
from email.message import EmailMessage

from integrations.email.settings import EmailSettings
from recoup.domain.errors import TransientVendorError, VendorRefused
from recoup.domain.ids import derive_id
from recoup.domain.incident import Incident
from recoup.domain.wording import words

TIMEOUT_S = 10.0
LONGEST_SUBJECT = 200


class EmailPager:
    """Sends a mail when an incident is handed to people, and one when it is over."""

    def __init__(self, settings: EmailSettings, public_url: str) -> None:
        self._settings = settings
        self._public_url = public_url

    async def trigger(self, incident: Incident, reason: str) -> str:
        """Send the mail; return to whom it went."""
        text = (
            f"{_what(incident)}\n\n{reason}\n\n"
            f"At risk per hour: {incident.at_risk_per_hour.text()}\n"
            f"Since: {incident.onset_at:%F %H:%M} UTC\n\n"
            f"Decide here: {self._public_url}/incidents/{incident.id}\n"
        )
        mail = self._mail(incident, f"[{incident.severity.value}] {_what(incident)}", text, reason)
        await asyncio.to_thread(send, self._settings, mail)
        return f"mail to {', '.join(self._settings.to)}"

    async def resolve(self, incident: Incident) -> None:
        """Send the mail that says that it is over."""
        ended = str(incident.resolution or incident.status).replace("_", " ")
        text = f"{_what(incident)}\n\nIt is over: {ended}.\n"
        mail = self._mail(incident, f"Over: {_what(incident)}", text, f"over:{ended}")
        await asyncio.to_thread(send, self._settings, mail)

    def _mail(self, incident: Incident, subject: str, text: str, step: str) -> EmailMessage:
        domain = self._settings.sender.rpartition("@")[2] or "recoup"
        thread = f"<{derive_id('mail', incident.id)}@{domain}>"
        mail = EmailMessage()
        mail["From"] = self._settings.sender
        mail["To"] = ", ".join(self._settings.to)
        mail["Subject"] = " ".join(subject.split())[:LONGEST_SUBJECT]
        # The same step has the same id, so that a mail sent twice is shown once.
        mail["Message-ID"] = f"<{derive_id('mail', incident.id, step)}@{domain}>"
        mail["In-Reply-To"] = mail["References"] = thread
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(text)
        return mail


def send(settings: EmailSettings, mail: EmailMessage | None) -> None:
    """Send a mail; with None, only log in and out, to see whether it would work.

    Raises TransientVendorError, or VendorRefused when trying again will not help.
    """
    try:
        with _connected(settings) as server:
            if mail is not None:
                server.send_message(mail)
            else:
                server.noop()
    except smtplib.SMTPAuthenticationError as error:
        raise VendorRefused(f"{settings.host} does not take user and password") from error
    except smtplib.SMTPResponseException as error:
        text = f"{settings.host} answered {error.smtp_code}"
        if error.smtp_code >= 500:
            raise VendorRefused(text) from error
        raise TransientVendorError(text) from error
    except smtplib.SMTPRecipientsRefused as error:
        raise VendorRefused(f"{settings.host} refuses every recipient") from error
    except smtplib.SMTPNotSupportedError as error:
        raise VendorRefused(f"{settings.host} does not offer what security asks for") from error
    except (smtplib.SMTPException, OSError) as error:
        raise TransientVendorError(f"{settings.host} cannot be reached: {error}") from error


def _connected(settings: EmailSettings) -> smtplib.SMTP:
    context = ssl.create_default_context()
    server: smtplib.SMTP
    if settings.security == "tls":
        server = smtplib.SMTP_SSL(settings.host, settings.port, timeout=TIMEOUT_S, context=context)
    else:
        server = smtplib.SMTP(settings.host, settings.port, timeout=TIMEOUT_S)
    try:
        if settings.security == "starttls":
            server.starttls(context=context)
        if settings.user and settings.password:
            server.login(settings.user, settings.password.get_secret_value())
    except BaseException:
        server.close()
        raise
    return server


def _what(incident: Incident) -> str:
    word = "fell" if incident.direction == "drop" else "rose"
    return f"{words(incident.metric)} {word} for {incident.cohort.label}"
