"""The English template of every sentence about servers that speak DICOMweb; see ``sentence_texts``."""

from typing import Dict

_ = str

DICOMWEB: Dict[str, str] = {
    "dicomweb.query-key": _('A query cannot ask for "{name}". Known: {known}.'),
    # the address and the login
    "dicomweb.package": _('This needs the Python package dicomweb-client: pip install "liverseg[dicomweb]".'),
    "dicomweb.address": _(
        "{address} is not the address of a server; it looks like https://server/dicom-web."
    ),
    "dicomweb.address-login": _(
        "The address must not hold a user name or password; set the environment variables {user} and "
        "{password} instead."
    ),
    "dicomweb.unencrypted": _(
        "http sends images and passwords unencrypted to {host}, which is another computer; use https, or "
        "allow it with --unencrypted."
    ),
    "dicomweb.login-half": _("Set both environment variables {user} and {password}, or neither."),
    "dicomweb.login-twice": _("Set either {token}, or {user} and {password}, not both."),
    "dicomweb.login-letters": _("The environment variable {name} holds a line break or a control character."),
    "dicomweb.ca": _("{path} is not a file of certificates (PEM)."),
    "dicomweb.timeout": _("The time limit must be more than 0 seconds, not {seconds:g}."),
    # what goes wrong between two computers
    "dicomweb.unreachable": _("The server {host} cannot be reached; check the address and the network."),
    "dicomweb.unknown-host": _("The network knows no server named {host}; check the address."),
    "dicomweb.proxy": _("The network's proxy does not lead to {host}; check the address and the proxy."),
    "dicomweb.certificate": _(
        "The certificate of {host} is not trusted, so nothing was sent; if your hospital issues its own "
        "certificates, give its file with --ca."
    ),
    "dicomweb.tls": _("No encrypted connection to {host} could be made; perhaps it does not speak https."),
    "dicomweb.lost": _("The connection to {host} was lost, {count} times in a row."),
    "dicomweb.slow": _("{host} did not answer within {seconds:g} seconds."),
    "dicomweb.busy": _(
        "{host} is too busy to answer (status {status}), {count} times in a row; try again later."
    ),
    "dicomweb.login-missing": _(
        "{host} asks for a login: set the environment variables {user} and {password}, or {token}."
    ),
    "dicomweb.login-refused": _("{host} refused the login; check user name and password, or the token."),
    "dicomweb.forbidden": _("{host} knows you, but does not allow you to do this."),
    "dicomweb.no-dicomweb": _(
        "There is no DICOMweb at {address}; with Orthanc, for example, the address ends in /dicom-web."
    ),
    "dicomweb.gone": _("{host} does not have this series, or not any more."),
    "dicomweb.status": _("{host} answered with an error (status {status})."),
    "dicomweb.redirect": _(
        "{host} points to another address, {other}, where LiverSeg did not follow; give that address if you "
        "trust it."
    ),
    # finding and fetching
    "dicomweb.uid": _("{value} is not a DICOM UID, which has only digits and dots."),
    "dicomweb.date": _("{value} is not a date; write it as 2024-01-31."),
    "dicomweb.dates": _("The first date, {first}, comes after the last, {last}."),
    "dicomweb.nothing": _("No series on {host} matches."),
    "dicomweb.too-many": _("More than {most} series match; narrow the search."),
    "dicomweb.too-many-to-judge": _(
        "{count} series match, too many to look at each; narrow the search, or choose one with --series."
    ),
    "dicomweb.several-suit": _("{count} series suit; choose one with --series. Series: {listed}."),
    "dicomweb.none-suits": _(
        "None of the series that match can be segmented; choose one with --series to fetch it all the same. "
        "Series: {listed}."
    ),
    "dicomweb.count": _(
        "{host} announced {announced} images of the series, but has {sent} to send. Nothing was stored."
    ),
    "dicomweb.wrong-image": _(
        "{host} sent something else than an image of the series that was asked for. Nothing was stored."
    ),
    "dicomweb.damaged": _("{host} sent a damaged image, {count} times in a row. Nothing was stored."),
    "dicomweb.folder": _(
        "{folder} holds other files, for example {name}; choose an empty folder or a new one."
    ),
    # sending
    "dicomweb.no-file": _("There is no file or folder {path}."),
    "dicomweb.no-dicom": _("{name} is not a DICOM file; only DICOM files are sent."),
    "dicomweb.unreadable": _("{name} cannot be sent: it is damaged or lacks the UIDs that name it."),
    "dicomweb.nothing-to-send": _("There are no DICOM files to send in {place}."),
    "dicomweb.changed": _("{name} was changed or removed while the files were sent."),
    "dicomweb.push-stopped": _(
        "{reason} It had confirmed {stored} of {count} files; sending them again is safe."
    ),
    "dicomweb.push-cancelled": _(
        "Cancelled; the server had confirmed {stored} of {count} files. Sending them again is safe."
    ),
    # why a server did not store a file
    "dicomweb.refused-resources": _("it is out of room or other resources"),
    "dicomweb.refused-mismatch": _("the file does not agree with its kind"),
    "dicomweb.refused-content": _("it cannot understand the file"),
    "dicomweb.refused-kind": _("it does not store files of this kind"),
    "dicomweb.refused-syntax": _("it does not store files that are compressed like this"),
    "dicomweb.refused-permission": _("you are not allowed to store it"),
    "dicomweb.refused-large": _("the file is too large for it"),
    "dicomweb.refused-code": _("its reason has the code {code}"),
    "dicomweb.refused-silently": _("it does not say why"),
    "dicomweb.refused-unconfirmed": _("it did not confirm that the file is stored"),
    "dicomweb.refused-missing": _("it said that the file is stored, but does not have it"),
}
"""Identifier -> English template."""
