"""The English template of every sentence about a server that computes; see ``sentence_texts``."""

from typing import Dict

_ = str

SERVING: Dict[str, str] = {
    # the way to a server
    "server.address": _(
        "The server's address is https://NAME:PORT, or http:// for this computer only, not {address}."
    ),
    "server.no-token": _("The server needs a token; its administrator has it."),
    "server.unreachable": _("The server {address} cannot be reached: {reason}."),
    "server.certificate": _("The certificate of the server {address} cannot be trusted: {reason}."),
    "server.not-liverseg": _("{address} does not answer as a LiverSeg server does."),
    "server.version": _(
        "The server {address} has another version of LiverSeg ({theirs}, here {ours}) that this one does not "
        "understand."
    ),
    "server.other-scan": _("The scan did not reach the server as it is here; please run again."),
    "server.damaged-result": _("The server's result could not be read."),
    "server.not-from-here": _("This worker computes on this computer only."),
    "server.model-name": _("A server computes with models of its own: choose one by its name, not {name!r}."),
    # what a server answers
    "server.token": _("The server does not accept the token."),
    "server.not-the-proxy": _("This server can be reached by way of its proxy only."),
    "server.no-such-page": _("The server has no such page."),
    "server.request": _("The server does not understand the request: {reason}."),
    "server.unknown-run": _("The server does not know this run (any more)."),
    "server.upload-runs": _("The scan of this run is being uploaded already."),
    "server.no-result": _("This run has no result."),
    "server.too-large": _("The scan is too large for the server, which takes at most {most}."),
    "server.too-slow": _("Sending the scan to the server took longer than {seconds:.0f} s."),
    "server.incomplete": _("The scan did not reach the server whole."),
    "server.disk-full": _("The disk of the server is full; its administrator must make room."),
    "server.queue-full": _("The server is busy: {count} runs wait already. Try again later."),
    "server.took-too-long": _("The run took longer than the {seconds:.0f} s that the server allows."),
    "server.worker-ended": _(
        "The computing process on the server ended during this run, perhaps because memory ran out. It is "
        "being started again."
    ),
    "server.worker-not-started": _("The computing process on the server does not start."),
    "server.failed": _("Something went wrong on the server."),
    "server.megabytes": _("{count:.0f} MB"),
    "server.voxels": _("{count:.0f} million voxels"),
    # starting a server
    "serve.needs-certificate": _(
        "A server for other computers needs a certificate (--certificate and --key), or a proxy that has one "
        "(--behind-proxy)."
    ),
    "serve.half-certificate": _("--certificate and --key belong together."),
    "serve.certificate": _("The certificate or its key cannot be used: {reason}."),
    "serve.host": _("{host} is no address of this computer: {reason}."),
    "serve.proxy": _("--behind-proxy takes the proxy's IP address, not {given}."),
    "serve.port-taken": _("The port {port} is in use by another program."),
    "serve.token-file": _("The file with the tokens, {path}, cannot be read: {reason}."),
    "serve.token-short": _("A token needs at least {least} characters, of those that can be typed."),
    "serve.no-tokens": _("The file {path} holds no token."),
}
