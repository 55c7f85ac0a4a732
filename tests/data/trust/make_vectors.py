# SPDX-License-Identifier: MIT
"""Make the signature vectors of this folder: `python make_vectors.py` writes them, a unit test compares them.

Each file is one case that every verifier must decide alike, the orchestrator's and the device's. Members:
`envelope` (the exact bytes, as text), `keys` (the trusted keys), `threshold`, `payloadType`, `payload` (the exact bytes
that must have been signed, as text), and `expected`: whether the envelope is accepted, and the ids of the keys counted.
The keys are made from public seeds (the byte N, 32 times) and protect nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

TYPE = "application/vnd.pycontainer.revision.signature.v1+json"
PAYLOAD = (
    '{"digest":"sha256:' + "ab" * 32 + '","mediaType":"application/vnd.oci.image.manifest.v1+json",'
    '"product":"demo","size":3422}'
)


class Key:
    def __init__(self, number: int) -> None:
        self.private = Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
        raw = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.id = hashlib.sha256(raw).hexdigest()
        self.public = base64.b64encode(raw).decode()

    def sign(self, payload: str = PAYLOAD, kind: str = TYPE, keyid: str | None = None) -> dict[str, str]:
        sig = self.private.sign(message(payload, kind))
        return {"keyid": keyid or self.id, "sig": base64.b64encode(sig).decode()}

    def scalar(self) -> int:
        """The number whose multiple of the base point the public key is (RFC 8032, section 5.1.5)."""
        raw = bytearray(hashlib.sha512(self.private.private_bytes_raw()).digest()[:32])
        raw[0] &= 248
        raw[31] = raw[31] & 127 | 64
        return int.from_bytes(raw, "little")


ORDER = 2**252 + 27742317777372353535851937790883648493
NEUTRAL = b"\1" + bytes(31)
"""The encoding of the neutral point, which is of small order."""


def message(payload: str = PAYLOAD, kind: str = TYPE) -> bytes:
    return f"DSSEv1 {len(kind.encode())} {kind} {len(payload.encode())} {payload}".encode()


def other_s(text: str) -> str:
    """The same signature with S beyond the order of the group: an equation modulo the order holds as before."""
    raw = base64.b64decode(text)
    return base64.b64encode(raw[:32] + (int.from_bytes(raw[32:], "little") + ORDER).to_bytes(32, "little")).decode()


def neutral_r(key: Key) -> dict[str, str]:
    """A signature that fulfils the equation with the neutral point as R, as only the key's owner can make it."""
    public = base64.b64decode(key.public)
    challenge = int.from_bytes(hashlib.sha512(NEUTRAL + public + message()).digest(), "little") % ORDER
    raw = NEUTRAL + (challenge * key.scalar() % ORDER).to_bytes(32, "little")
    return {"keyid": key.id, "sig": base64.b64encode(raw).decode()}


def by_nobody(key: Key) -> tuple[dict[str, str], dict[str, str]]:
    """A trusted key that is the neutral point, and a signature for it that needs no private key."""
    raw = base64.b64decode(key.public) + (key.scalar() % ORDER).to_bytes(32, "little")
    keyid = hashlib.sha256(NEUTRAL).hexdigest()
    trusted = {"keyid": keyid, "public": base64.b64encode(NEUTRAL).decode()}
    return trusted, {"keyid": keyid, "sig": base64.b64encode(raw).decode()}


ONE, TWO, THREE, STRANGER = Key(1), Key(2), Key(3), Key(9)


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def envelope(signatures: list[dict[str, str]], payload: str = PAYLOAD, kind: str = TYPE, **more: Any) -> str:
    value = {"payload": b64(payload), "payloadType": kind, "signatures": signatures, **more}
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def flip(signature: dict[str, str]) -> dict[str, str]:
    raw = bytearray(base64.b64decode(signature["sig"]))
    raw[10] ^= 1
    return {**signature, "sig": base64.b64encode(raw).decode()}


def loose_bits(text: str) -> str:
    """Another spelling of the same bytes: the last letter before the padding with its unused bits set."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    body = text.rstrip("=")
    return body[:-1] + alphabet[alphabet.index(body[-1]) | 1] + text[len(body) :]


def respell(change: Callable[[str], str]) -> str:
    signature = ONE.sign()
    return envelope([{**signature, "sig": change(signature["sig"])}])


def cases() -> dict[str, dict[str, Any]]:
    """Return the cases by file name."""
    found: dict[str, dict[str, Any]] = {}

    def case(
        name: str,
        why: str,
        text: str,
        counted: list[Key] | None,
        *,
        trusted: tuple[Key, ...] = (ONE,),
        threshold: int = 1,
    ) -> None:
        keys = sorted(({"keyid": key.id, "public": key.public} for key in trusted), key=lambda key: key["keyid"])
        found[f"{name}.json"] = {
            "description": why,
            "keys": keys,
            "threshold": threshold,
            "payloadType": TYPE,
            "payload": PAYLOAD,
            "envelope": text,
            "expected": {"accepted": counted is not None, "keyids": sorted(key.id for key in counted or [])},
        }

    three = (ONE, TWO, THREE)
    good = envelope([ONE.sign()])
    wide = PAYLOAD.replace('","', '", "')
    extra = PAYLOAD[:-1] + ',"zone":1}'
    case("good", "one valid signature by the one trusted key", good, [ONE])
    case(
        "two-of-three",
        "two of three keys signed, two must",
        envelope([ONE.sign(), THREE.sign()]),
        [ONE, THREE],
        trusted=three,
        threshold=2,
    )
    case("one-of-three", "one of three keys signed, two must", envelope([TWO.sign()]), None, trusted=three, threshold=2)
    case("wrong-key", "a valid signature by a key that is not trusted", envelope([STRANGER.sign()]), None)
    case(
        "wrong-key-known-id",
        "a stranger's signature under a trusted key id",
        envelope([STRANGER.sign(keyid=ONE.id)]),
        None,
    )
    case(
        "stranger-beside",
        "a stranger's signature beside a good one takes nothing away",
        envelope([STRANGER.sign(), ONE.sign()]),
        [ONE],
    )
    case(
        "duplicate-signature",
        "the same signature twice counts once",
        envelope([ONE.sign(), ONE.sign()]),
        None,
        trusted=three,
        threshold=2,
    )
    case(
        "duplicate-keyid-bad-first",
        "a wrong signature under a key id does not hide the right one after it",
        envelope([flip(ONE.sign()), ONE.sign()]),
        [ONE],
    )
    case("flipped-signature", "one bit of the signature is wrong", envelope([flip(ONE.sign())]), None)
    case(
        "tampered-payload",
        "the payload was changed after signing",
        envelope([ONE.sign()], PAYLOAD.replace('"size":3422', '"size":3423')),
        None,
    )
    case(
        "other-payload",
        "rightly signed, but for another revision",
        envelope([ONE.sign(PAYLOAD.replace("ab", "cd"))], PAYLOAD.replace("ab", "cd")),
        None,
    )
    case("payload-not-canonical", "rightly signed, but spelt with spaces", envelope([ONE.sign(wide)], wide), None)
    case("payload-extra-member", "rightly signed, but with a member too many", envelope([ONE.sign(extra)], extra), None)
    case(
        "wrong-payload-type",
        "rightly signed, as something else",
        envelope([ONE.sign(kind="application/json")], kind="application/json"),
        None,
    )
    case(
        "payload-type-swapped",
        "signed as something else, then relabelled",
        envelope([ONE.sign(kind="application/json")]),
        None,
    )
    case("no-signatures", "an empty list of signatures", envelope([]), None)
    case(
        "signature-without-keyid",
        "a valid signature that names no key counts for nothing",
        envelope([{"sig": ONE.sign()["sig"]}]),
        None,
    )
    case("keyid-upper-case", "a key id in capitals is another key id", envelope([ONE.sign(keyid=ONE.id.upper())]), None)
    case(
        "extra-members",
        "members that DSSE does not have are ignored, as it demands",
        envelope([{**ONE.sign(), "extension": {"kind": "x"}}], comment=["hello", 1, None]),
        [ONE],
    )
    case(
        "white-space",
        "an envelope may be spelt with spaces and in any order",
        json.dumps({"signatures": [ONE.sign()], "payloadType": TYPE, "payload": b64(PAYLOAD)}, indent=2),
        [ONE],
    )
    case("base64-no-padding", "the signature's padding is missing", respell(lambda text: text.rstrip("=")), None)
    case("base64-loose-bits", "the signature's unused bits are not zero", respell(loose_bits), None)
    case("base64-line-end", "a line end within the signature", respell(lambda text: text[:20] + "\n" + text[20:]), None)
    case(
        "base64-url-safe",
        "the signature in the alphabet for URLs",
        respell(lambda text: text.replace("+", "-").replace("/", "_")),
        None,
    )
    case("base64-rubbish", "the signature is no base64", respell(lambda text: "!" + text[1:]), None)
    case("base64-payload-rubbish", "the payload is no base64", good.replace(b64(PAYLOAD)[:8], "!!!!!!!!"), None)
    case(
        "signature-too-short",
        "63 bytes",
        respell(lambda text: base64.b64encode(base64.b64decode(text)[:63]).decode()),
        None,
    )
    case(
        "signature-too-long",
        "65 bytes",
        respell(lambda text: base64.b64encode(base64.b64decode(text) + b"\0").decode()),
        None,
    )
    case("member-twice", "the payload is given twice", good[:-1] + ',"payload":"' + b64(PAYLOAD) + '"}', None)
    case("member-missing", "no payload type", good.replace("payloadType", "payloadKind"), None)
    case(
        "wrong-member-type",
        "the list of signatures is an object",
        envelope([]).replace("[]", json.dumps(ONE.sign())),
        None,
    )
    case("cut-short", "the last byte is missing", good[:-1], None)
    case("rubbish-behind", "bytes behind the envelope", good + "x", None)
    case("not-an-object", "a JSON string", json.dumps(good), None)
    case("empty", "no bytes at all", "", None)
    case("nested-deeply", "ten thousand brackets", good[:-1] + ',"x":' + "[" * 10000 + "]" * 10000 + "}", None)
    case(
        "too-many-signatures",
        "33 signatures, 32 are the limit",
        envelope([STRANGER.sign(str(number)) for number in range(32)] + [ONE.sign()]),
        None,
    )
    case("signature-beyond-order", "malleable: S of the signature plus the group's order", respell(other_s), None)
    case("signature-neutral-r", "the signature's R is a point of small order", envelope([neutral_r(ONE)]), None)
    nobody, forged = by_nobody(TWO)
    case(
        "key-of-small-order", "the trusted key is the neutral point, which anybody signs for", envelope([forged]), None
    )
    found["key-of-small-order.json"]["keys"] = [nobody]
    case("huge-envelope", "an envelope beyond its limit", envelope([ONE.sign()], comment="x" * 65536), None)
    wide_payload = PAYLOAD.replace("demo", "d" * 16384)
    case(
        "huge-payload",
        "a payload beyond its limit, rightly signed",
        envelope([ONE.sign(wide_payload)], wide_payload),
        None,
    )
    # A rotation: what replaces ONE by TWO is signed by both, and so reaches devices that know either.
    both = envelope([ONE.sign(), TWO.sign()])
    case("rotation-on-old-device", "signed by the old key and the new, the old one is known", both, [ONE])
    case("rotation-on-new-device", "the same, the new one is known", both, [TWO], trusted=(TWO,))
    case("rotation-done", "signed by the new key alone, the old one is known", envelope([TWO.sign()]), None)
    case("before-rotation", "signed by the old key alone, the new one is known", good, None, trusted=(TWO,))
    return found


def render(case: dict[str, Any]) -> str:
    """Return a case as its file holds it."""
    return json.dumps(case, indent=1, ensure_ascii=True, sort_keys=True) + "\n"


if __name__ == "__main__":
    for name, content in cases().items():
        (Path(__file__).parent / name).write_text(render(content), encoding="utf-8")
