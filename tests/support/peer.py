"""An SMTP server that we did not write (aiosmtpd 1.4.6), for tests of mail.

It listens on a free port of loopback, prints the port, then one line of JSON for every mail it accepted, as Python's own
mail parser understands it. It ends when its standard input is closed.

usage: peer.py none|starttls|implicit [CERTIFICATE KEY]
"""

import asyncio
import json
import ssl
import sys
from email import message_from_bytes, policy

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if address.startswith("nobody@"):
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = message_from_bytes(envelope.content, policy=policy.default)
        plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
        print(json.dumps({
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "user": session.auth_data,
            "encrypted": server.transport.get_extra_info("ssl_object") is not None,
            "headers": {name: str(value) for name, value in mail.items()},
            "type": mail.get_content_type(),
            "text": plain and plain.get_content(),
            "html": html and html.get_content(),
            "defects": [repr(defect) for part in mail.walk() for defect in part.defects],
        }), flush=True)
        return "250 kept"


def authenticate(server, session, envelope, mechanism, login):
    good = (login.login, login.password) == (b"duban", "密码 secret".encode())
    return AuthResult(success=good, handled=good, auth_data=login.login.decode())


async def main():
    mode = sys.argv[1]
    context = None
    if mode != "none":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])

    def factory():
        starttls = mode == "starttls"
        return SMTP(
            Handler(),
            hostname="peer.example",
            tls_context=context if starttls else None,
            require_starttls=starttls,
            authenticator=authenticate,
            auth_required=mode != "none",
            auth_require_tls=starttls,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(factory, "127.0.0.1", 0, ssl=context if mode == "implicit" else None)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
