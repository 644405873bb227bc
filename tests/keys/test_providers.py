"""Every master-key provider wraps a keyring, opens it again, and says in one line why it does not."""

from __future__ import annotations

import base64
import contextlib
import importlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from proxy.config import PROVIDERS, Keys
from proxy.crypto import Keyring, make_provider
from proxy.crypto.providers import (
    AwsKmsProvider,
    AzureKeyVaultProvider,
    EnvProvider,
    GcpKmsProvider,
    MasterKeyProvider,
    Pkcs11Provider,
    VaultProvider,
)
from proxy.crypto.providers.base import ask, library
from proxy.errors import KeyringError
from tests.support import keystores

GOOGLE_KEY = "projects/p/locations/europe/keyRings/r/cryptoKeys/sealwire"
SOFTHSM = [Path("/usr/lib/softhsm/libsofthsm2.so"), Path("/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")]
MODULE = next((path for path in SOFTHSM if path.exists()), None)


class Scene:
    """One provider against its key store, and a way to another master key in the same store."""

    def __init__(self, make: Callable[[], MasterKeyProvider], other: Callable[[], MasterKeyProvider]) -> None:
        self.make = make
        self.other = other


@contextlib.contextmanager
def env_scene(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    for name in ("MASTER_A", "MASTER_B"):
        monkeypatch.setenv(name, base64.b64encode(os.urandom(32)).decode())
    yield Scene(lambda: EnvProvider("MASTER_A"), lambda: EnvProvider("MASTER_B"))


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """The URL of moto's server, which plays AWS."""
    server = importlib.import_module("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@contextlib.contextmanager
def aws_scene(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "none"))
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    kms = importlib.import_module("boto3").client("kms", region_name="eu-central-1")
    arns = [kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2)]
    kms.close()
    yield Scene(lambda: AwsKmsProvider(arns[0]), lambda: AwsKmsProvider(arns[1]))


@contextlib.contextmanager
def gcp_scene(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    kms = importlib.import_module("google.cloud.kms")
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.kms_v1.services.key_management_service.transports import KeyManagementServiceRestTransport

    def make(key: str, url: str) -> GcpKmsProvider:
        host = url.removeprefix("http://")
        transport = KeyManagementServiceRestTransport(host=host, url_scheme="http", credentials=AnonymousCredentials())
        return GcpKmsProvider(key, client=kms.KeyManagementServiceClient(transport=transport))

    with keystores.serving(keystores.GoogleKms(GOOGLE_KEY)) as url:
        yield Scene(lambda: make(GOOGLE_KEY, url), lambda: make(GOOGLE_KEY + "2", url))


@contextlib.contextmanager
def azure_scene(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    core = importlib.import_module("azure.core.credentials")
    vault = keystores.AzureKeyVault("sealwire")

    class Login:
        def get_token(self, *scopes: str, **_: object) -> object:
            assert scopes == ("https://vault.azure.net/.default",)
            return core.AccessToken(vault.token, int(time.time()) + 3600)

    tls = keystores.certificate(folder)
    options: dict[str, Any] = {
        "connection_verify": str(tls[0]),
        "verify_challenge_resource": False,
        "retry_total": 0,
    }

    def make(name: str) -> AzureKeyVaultProvider:
        return AzureKeyVaultProvider(f"{vault.url}/keys/{name}", credential=Login(), options=options)

    with keystores.serving(vault, tls) as vault.url:
        scene = Scene(lambda: make("sealwire"), lambda: make("missing"))
        scene.vault = vault  # type: ignore[attr-defined]
        yield scene


@contextlib.contextmanager
def vault_scene(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setenv("VAULT_TOKEN", "s.token-canary")
    with keystores.serving(keystores.VaultTransit("s.token-canary")) as url:
        monkeypatch.setenv("VAULT_ADDR", url)
        yield Scene(lambda: VaultProvider("transit/sealwire"), lambda: VaultProvider(f"{url}/team/transit/other"))


@contextlib.contextmanager
def pkcs11_scene(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setenv("SEALWIRE_PKCS11_PIN", "pin-canary")
    pin = folder / "pin"
    pin.write_text("pin-canary\n")
    pin.chmod(0o600)
    uri = "pkcs11:token=sealwire%20test;object={}?module-path=" + str(MODULE)
    yield Scene(
        lambda: Pkcs11Provider(uri.format("first%20key")),
        lambda: Pkcs11Provider(uri.format("second") + f"&pin-source=file:{pin}"),
    )


@pytest.fixture(scope="session")
def softhsm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A token of SoftHSM 2 with two AES keys, for the whole run: the library reads where its tokens are only once."""
    pkcs11 = importlib.import_module("pkcs11")
    if MODULE is None or shutil.which("softhsm2-util") is None:
        pytest.skip("SoftHSM 2 is not installed: apt-get install softhsm2")
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder}\nlog.level = ERROR\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(folder / "softhsm2.conf"))
        command = ["softhsm2-util", "--init-token", "--free", "--label", "sealwire test"]
        subprocess.run([*command, "--so-pin", "1234", "--pin", "pin-canary"], check=True, capture_output=True)
        token = pkcs11.lib(str(MODULE)).get_token(token_label="sealwire test")
        with token.open(user_pin="pin-canary", rw=True) as session:
            for label in ("first key", "second"):
                session.generate_key(pkcs11.KeyType.AES, 256, label=label, store=True)
        yield


SCENES = {
    "env": env_scene,
    "aws-kms": aws_scene,
    "gcp-kms": gcp_scene,
    "azure-keyvault": azure_scene,
    "vault": vault_scene,
    "pkcs11": pkcs11_scene,
}


@pytest.fixture(params=SCENES)
def scene(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    if request.param == "pkcs11":
        request.getfixturevalue("softhsm")
    if request.param == "aws-kms":
        monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", request.getfixturevalue("moto"))
    with SCENES[request.param](tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with azure_scene(tmp_path, monkeypatch) as made:
        yield made


def test_every_provider_of_the_configuration_is_there_and_has_a_scene() -> None:
    keys = {"pkcs11": "pkcs11:token=t;object=o?module-path=/m.so"}
    names = {make_provider(Keys(Path("k"), name, keys.get(name, "x"))).name for name in PROVIDERS}
    assert names == set(PROVIDERS) == {"file", *SCENES}


def test_a_keyring_opens_again_and_no_key_is_in_it(scene: Scene, tmp_path: Path) -> None:
    made = Keyring.create(tmp_path / "keyring.json", scene.make())
    again = Keyring.load(tmp_path / "keyring.json", scene.make())
    assert again.data_key(made.primary) == made.data_key(made.primary)
    assert made.data_key(made.primary) not in again.keys[made.primary].wrapped


def test_two_wraps_of_one_payload_open_to_the_same(scene: Scene) -> None:
    provider = scene.make()
    payload = os.urandom(40)
    first, second = provider.wrap(payload), provider.wrap(payload)
    assert provider.unwrap(first, provider.reference()) == payload == provider.unwrap(second, provider.reference())


def test_a_changed_byte_does_not_open(scene: Scene) -> None:
    provider = scene.make()
    wrapped = provider.wrap(bytes(40))
    for place in (len(wrapped) // 3, len(wrapped) - 5):
        damaged = bytearray(wrapped)
        damaged[place] = damaged[place] ^ 1 if provider.name != "vault" else ord("A" if damaged[place] != 65 else "B")
        with pytest.raises(KeyringError) as caught:
            assert provider.unwrap(bytes(damaged), provider.reference()) == bytes(40)
        assert "\n" not in str(caught.value)


def test_another_master_key_of_the_same_store_does_not_open(scene: Scene, tmp_path: Path) -> None:
    Keyring.create(tmp_path / "keyring.json", scene.make())
    with pytest.raises(KeyringError) as caught:
        Keyring.load(tmp_path / "keyring.json", scene.other())
    assert "\n" not in str(caught.value)
    assert "canary" not in str(caught.value)


def test_what_a_provider_shows_of_itself_holds_no_secret(scene: Scene) -> None:
    provider = scene.make()
    provider.wrap(bytes(40))
    shown = repr(provider) + provider.reference()
    assert "canary" not in shown
    for name in ("MASTER_A", "MASTER_B"):
        assert os.environ.get(name, "nothing there") not in shown


def test_a_key_store_that_is_lost_later_does_not_matter(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = scene.make()
    keyring = Keyring.create(tmp_path / "keyring.json", provider)

    def lost(*_: object) -> bytes:
        raise AssertionError("the key store was asked")

    monkeypatch.setattr(type(provider), "unwrap", lost)
    monkeypatch.setattr(type(provider), "wrap", lost)
    assert len(keyring.data_key(keyring.primary)) == 32


@pytest.mark.parametrize(
    ("make", "variables"),
    [
        (lambda: AwsKmsProvider("arn:aws:kms:eu-west-1:1:key/k"), {"AWS_ENDPOINT_URL_KMS": "http://127.0.0.1:1"}),
        (lambda: VaultProvider("transit/k"), {"VAULT_ADDR": "http://127.0.0.1:1"}),
        (lambda: GcpKmsProvider(GOOGLE_KEY), {"GOOGLE_APPLICATION_CREDENTIALS": "/none.json"}),
    ],
    ids=["aws-kms", "vault", "gcp-kms"],
)
def test_a_key_store_that_cannot_be_reached_stops_the_start_with_one_line(
    make: Callable[[], MasterKeyProvider], variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"AWS_MAX_ATTEMPTS": "1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}.items():
        monkeypatch.setenv(name, value)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(KeyringError) as caught:
        make().unwrap(b"vault:v1:AAAA", "some key")
    assert "cannot unwrap what was wrapped under some key: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_key_store_that_does_not_answer_is_given_up() -> None:
    forever = threading.Event()
    with pytest.raises(KeyringError, match=r"^store, key k cannot wrap: no answer within 0.01 seconds$"):
        ask("store, key k", "wrap", forever.wait, limit=0.01)
    forever.set()


def test_a_library_exception_is_one_line_of_bounded_length() -> None:
    def fail() -> None:
        raise RuntimeError("first\nsecond " + "x" * 1000)

    with pytest.raises(KeyringError, match=r"^store cannot wrap: RuntimeError: first second x+\.\.\.$") as caught:
        ask("store", "wrap", fail)
    assert len(str(caught.value)) < 400
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("module", "extra", "make"),
    [
        ("boto3", "aws", lambda: AwsKmsProvider("arn:aws:kms:eu-west-1:1:key/k")),
        ("google.cloud.kms", "gcp", lambda: GcpKmsProvider(GOOGLE_KEY)),
        ("azure.keyvault.keys", "azure", lambda: AzureKeyVaultProvider("https://v.vault.azure.net/keys/k")),
        ("hvac", "vault", lambda: VaultProvider("transit/k")),
        ("pkcs11", "pkcs11", lambda: Pkcs11Provider("pkcs11:token=t;object=o?module-path=/none.so")),
    ],
)
def test_a_missing_library_is_one_line_that_says_what_to_install(
    module: str, extra: str, make: Callable[[], MasterKeyProvider], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setenv("SEALWIRE_PKCS11_PIN", "1")
    with pytest.raises(KeyringError) as caught:
        make().wrap(bytes(40))
    assert str(caught.value).endswith(f"needs a library that is not installed; run: pip install 'sealwire[{extra}]'")


def test_the_libraries_are_not_imported_until_they_are_needed() -> None:
    heavy = ["boto3", "hvac", "pkcs11", "azure", "google.cloud"]
    program = f"import sys, proxy.crypto; print([module for module in {heavy} if module in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    with pytest.raises(KeyringError, match="pip install"):
        library("no_such_module", "p", "e")


def test_azure_unwraps_under_the_version_that_wrapped(azure: Any) -> None:
    first = azure.make()
    wrapped, reference = first.wrap(bytes(40)), first.reference()
    azure.vault.rotate()
    second = azure.make()
    assert second.reference() != reference
    assert second.unwrap(wrapped, reference) == bytes(40)


def test_azure_refuses_what_was_wrapped_with_the_public_key_alone(azure: Any) -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    provider = azure.make()
    public = azure.vault.versions[max(azure.vault.versions)].public_key()
    forged = public.encrypt(bytes(40), padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None))
    for signature in (bytes(256), forged, provider.wrap(bytes(40))[256:]):
        with pytest.raises(KeyringError, match="signature does not verify"):
            provider.unwrap(forged + signature, provider.reference())


def test_azure_does_not_follow_a_keyring_to_another_vault(azure: Any) -> None:
    provider = azure.make()
    wrapped = provider.wrap(bytes(40))
    for elsewhere in ("https://evil.example/keys/sealwire/1", provider.reference().replace("sealwire", "sealwire2")):
        with pytest.raises(KeyringError, match="the keyring is wrapped under"):
            provider.unwrap(wrapped, elsewhere)


@pytest.mark.parametrize("key", ["sealwire", "https://v.vault.azure.net", "https://v.vault.azure.net/keys/a/b"])
def test_an_azure_key_is_named_by_its_identifier(key: str) -> None:
    with pytest.raises(KeyringError, match="not a key identifier"):
        AzureKeyVaultProvider(key).wrap(bytes(40))


def test_a_token_opens_in_a_process_that_was_forked(softhsm: None, tmp_path: Path) -> None:
    program = """
import os, sys
from proxy.crypto.providers import Pkcs11Provider
provider = Pkcs11Provider(sys.argv[1])
wrapped = provider.wrap(bytes(40))
child = os.fork()
if not child:
    os._exit(provider.unwrap(wrapped, "it") != bytes(40))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    uri = f"pkcs11:token=sealwire%20test;object=second?module-path={MODULE}"
    environment = os.environ | {"SEALWIRE_PKCS11_PIN": "pin-canary"}
    subprocess.run([sys.executable, "-c", program, uri], env=environment, check=True)


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("master", "the key is named pkcs11:"),
        ("pkcs11:token=t?module-path=/m.so", "the key is named pkcs11:"),
        ("pkcs11:token=t;object=o", "must end with"),
        ("pkcs11:token=t;object=o?module-path=/m.so&pin-value=9-canary", "pin-value is not taken"),
        ("pkcs11:token=t;token=u;object=o?module-path=/m.so", "'token' is unknown here or stands twice"),
        ("pkcs11:token=t;object=o;color=red?module-path=/m.so", "'color' is unknown here"),
    ],
)
def test_a_pkcs11_uri_is_checked_and_a_pin_in_it_refused_unseen(uri: str, message: str) -> None:
    with pytest.raises(KeyringError) as caught:
        Pkcs11Provider(uri)
    assert message in str(caught.value)
    assert "canary" not in str(caught.value)


def test_a_pkcs11_key_may_be_named_by_bytes() -> None:
    provider = Pkcs11Provider("pkcs11:token=t;id=%00%FFa?module-path=/m.so")
    assert provider._parts["id"].encode("latin-1") == b"\x00\xffa"
    assert provider.reference() == "pkcs11:token=t;id=%00%FFa"


def test_a_pin_file_must_be_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEALWIRE_PKCS11_PIN", raising=False)
    uri = "pkcs11:token=t;object=o?module-path=/none.so"
    with pytest.raises(KeyringError, match="SEALWIRE_PKCS11_PIN is not set"):
        Pkcs11Provider(uri).wrap(bytes(40))
    pin = tmp_path / "pin"
    with pytest.raises(KeyringError, match="cannot be read: No such file"):
        Pkcs11Provider(f"{uri}&pin-source=file://{pin}").wrap(bytes(40))
    pin.write_text("1234")
    pin.chmod(0o640)
    with pytest.raises(KeyringError, match="must be a regular file with mode 0600"):
        Pkcs11Provider(f"{uri}&pin-source=file:{pin}").wrap(bytes(40))


@pytest.mark.parametrize("text", ["", "  ", "short-canary", "00" * 31])
def test_a_master_key_variable_that_is_missing_or_of_another_shape_is_refused_unseen(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_MASTER", text)
    with pytest.raises(
        KeyringError, match=r"^environment variable SOME_MASTER (is not set|must hold 32 bytes)"
    ) as caught:
        EnvProvider("SOME_MASTER").reference()
    assert "canary" not in str(caught.value)


def test_a_master_key_may_move_between_file_and_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from proxy.crypto import FileProvider

    provider = FileProvider.create(tmp_path / "master.key")
    monkeypatch.setenv("SOME_MASTER", (tmp_path / "master.key").read_text())
    assert EnvProvider("SOME_MASTER").reference() == provider.reference()
    assert EnvProvider("SOME_MASTER").unwrap(provider.wrap(bytes(40)), provider.reference()) == bytes(40)
