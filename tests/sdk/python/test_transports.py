"""Other transports than plain TCP: TLS, and a Unix-domain socket."""

import subprocess

import httpx2
import openai
import pytest

from conftest import KEY, ask, text
from gateway import running


def assert_serves(client):
    assert ask(client).choices[0].message.content == "Hello there"
    parts = list(ask(client, stream=True))
    assert parts[-1].choices[0].finish_reason == "stop"
    assert [model.id for model in client.models.list()] == ["chat", "voice"]


def openssl(directory, *arguments):
    done = subprocess.run(["openssl", *arguments], cwd=directory, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def create_certificates(directory):
    """An authority, and a certificate for this machine issued by it."""
    make = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    openssl(directory, *make, "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.crt")
    names = ["-subj", "/CN=gateway", "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]
    openssl(directory, *make, *names, "-CA", "ca.crt", "-CAkey", "ca.key", "-keyout", "tls.key", "-out", "tls.crt")


def test_tls(upstream, live_server, tmp_path, monkeypatch):
    create_certificates(tmp_path)
    files = {"TRUNKLINE_SERVER__TLS__CERT_FILE": "tls.crt", "TRUNKLINE_SERVER__TLS__KEY_FILE": "tls.key"}
    with running(text(upstream, live_server), tmp_path, **files) as origin:
        base_url = origin.replace("http:", "https:") + "/v1"
        with openai.OpenAI(base_url=base_url, api_key=KEY, max_retries=0) as distrusting, pytest.raises(openai.APIConnectionError):
            ask(distrusting)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.crt"))
        with openai.OpenAI(base_url=base_url, api_key=KEY, max_retries=0) as client:
            assert_serves(client)


def test_unix_socket(upstream, live_server, tmp_path):
    path = tmp_path / "api"
    with running(text(upstream, live_server), tmp_path, TRUNKLINE_SERVER__LISTEN=f"unix:{path}") as listen:
        assert listen == f"unix:{path}"
        http = openai.DefaultHttpxClient(transport=httpx2.HTTPTransport(uds=str(path)))
        with openai.OpenAI(base_url="http://localhost/v1", api_key=KEY, max_retries=0, http_client=http) as client:
            assert_serves(client)
    assert not path.exists()
