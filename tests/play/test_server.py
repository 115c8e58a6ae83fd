"""The server of ``musae play``: what it answers, and what it refuses."""

import asyncio
import http.client
import json
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from starlette.exceptions import HTTPException

from musicvae_lite.core.errors import UsageError
from musicvae_lite.media.midi import midi_bytes, read_midi
from musicvae_lite.play import guard, server
from musicvae_lite.play.guard import MAX_BYTES
from musicvae_lite.play.kept import Kept, plain
from musicvae_lite.play.server import listen
from tests.grooves import beat
from tests.tiny import score

DATA = Path(__file__).resolve().parents[2] / "data"
TUNE, ROCK = DATA / "midi" / "ode_to_joy.mid", DATA / "drums" / "rock.mid"


@pytest.fixture
def connect():
    """Open connections that are closed when the test ends."""
    opened = []

    def connect_(running):
        opened.append(http.client.HTTPConnection("127.0.0.1", running.port, timeout=20))
        return opened[-1]

    yield connect_
    for connection in opened:
        connection.close()


def ask(running, path, body=None, method=None, token=True, **headers):
    """Send one request; return status and answer."""
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
    sent = {"X-Musae-Token": running.token} if token else {}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    try:
        connection.request(method or ("GET" if data is None else "POST"), path, data, sent)
        answer = connection.getresponse()
        text = answer.read()
        kind = answer.headers.get("content-type", "")
        return answer.status, json.loads(text) if kind.startswith("application/json") else text
    finally:
        connection.close()


def test_a_model_is_described_without_its_weights(running):
    status, about = ask(running, "/api/describe")
    assert status == 200 and about["kind"] == "melody" and about["bars"] == 2
    assert about["corners"] == ["a", "b", "c", "d"] and about["folder"] == str(running.folder)
    assert {"mel-2bar", "drums-2bar", "denoise"} <= {model["name"] for model in about["models"]}
    assert "mnist-vae" not in {model["name"] for model in about["models"]}


def test_a_file_is_heard_as_the_verbs_hear_it(running):
    status, heard = ask(running, "/api/encode?name=ode.mid&bar=2", TUNE.read_bytes())
    assert status == 200 and heard["bar"] == 2 and heard["place"].endswith("bars 2-3")
    assert len(heard["piece"]["z"]) == 4 and heard["piece"]["notes"][0]["start"] == 0
    assert heard["choices"][0]["bars"][:2] == [1, 2]
    assert all(chord["symbol"] for chord in heard["piece"]["chords"])


def test_points_are_decoded_and_drawn(running):
    status, drawn = ask(running, "/api/draw", {"count": 3, "seed": 7})
    assert status == 200 and [len(point) for point in drawn["points"]] == [4, 4, 4]
    assert ask(running, "/api/draw", {"count": 1, "seed": 7})[1]["points"] == drawn["points"][:1]
    wish = {"points": drawn["points"], "temperature": 1.0, "seed": 1, "program": 40}
    status, made = ask(running, "/api/decode", wish)
    assert status == 200 and len(made["pieces"]) == 3
    assert {track["program"] for piece in made["pieces"] for track in piece["tracks"]} <= {40}
    assert ask(running, "/api/decode", wish)[1] == made


def test_better_tiles_are_those_of_the_verb(running, tunes):
    names = [
        ask(running, "/api/encode?name=x.mid", Path(tune).read_bytes())[1]["id"] for tune in tunes
    ]
    status, made = ask(running, "/api/between", {"corners": names, "size": 3, "seed": 0})
    assert status == 200 and len(made["pieces"]) == 9
    status, line = ask(running, "/api/between", {"corners": names[:2], "size": 4, "seed": 0})
    assert status == 200 and len(line["pieces"]) == 4
    other = {"corners": [names[0], "unknown"], "size": 4}
    status, told = ask(running, "/api/between", other)
    assert status == 400 and "drop it again" in told["error"]
    assert ask(running, "/api/between", {"corners": names[:3], "size": 4})[0] == 400
    assert ask(running, "/api/between", {"corners": names, "size": 10**6})[0] == 400


def test_other_models_can_be_asked(running):
    status, about = ask(running, "/api/describe", X_Musae_Model="drums-2bar")
    assert status == 200 and about["kind"] == "drums" and len(about["corners"]) == 2
    assert ask(running, "/api/corner/0", X_Musae_Model="drums-2bar")[1][:4] == b"MThd"
    status, told = ask(running, "/api/describe", X_Musae_Model="../../etc")
    assert status == 400 and "no model" in told["error"]


def test_what_is_kept_is_a_midi_file(running):
    data = midi_bytes(beat(2))
    status, kept = ask(running, "/api/keep?title=rock/../../x%00%20beat", data)
    assert status == 200 and Path(kept["path"]).parent == running.folder
    assert read_midi(kept["path"]) == read_midi(data) and "/" not in kept["file"]
    before = sorted(running.folder.iterdir())
    status, told = ask(running, "/api/keep?title=x", b"not midi")
    assert status == 422 and "MIDI" in told["error"] and sorted(running.folder.iterdir()) == before


BROKEN = [
    ("/api/encode?name=x.mid", b"", "empty"),
    ("/api/encode?name=x.mid", b"RIFF....", "MIDI"),
    ("/api/encode?name=x.mid", TUNE.read_bytes()[:60], "x.mid"),
    ("/api/encode?name=x.mid&bar=99", TUNE.read_bytes(), "bar 99"),
    ("/api/encode?name=x.mid&bar=-1", TUNE.read_bytes(), "numbers"),
    ("/api/encode?name=x.mid&parts=70000000", TUNE.read_bytes(), "numbers"),
    ("/api/decode", b"{", "JSON"),
    ("/api/decode", b"[1]", "object"),
    ("/api/decode", {}, "points"),
    ("/api/decode", {"points": [[1, 2]]}, "4 numbers"),
    ("/api/decode", {"points": [[1, 2, 3, 1e400]]}, "finite"),
    ("/api/decode", {"points": [[0] * 4] * 1025}, "1024"),
    ("/api/decode", {"points": [[0] * 4], "temperature": -1}, "temperature"),
    ("/api/decode", {"points": [[0] * 4], "temperature": "hot"}, "number"),
    ("/api/decode", {"points": [[0] * 4], "seed": -5}, "seed"),
    ("/api/decode", {"points": [[0] * 4], "program": 128}, "program"),
    ("/api/decode", {"points": [[0] * 4], "chords": "C Am"}, "not told of chords"),
    ("/api/draw", {"count": 0, "seed": 1}, "count"),
    ("/api/draw", {"count": 10**9, "seed": 1}, "at most"),
    ("/api/corner/77", None, "corner"),
    ("/api/recording?name=x.wav", b"this is no sound", "x.wav"),
    ("/api/recording/99/after.wav", None, "no longer open"),
    ("/api/recording/99/clean", {"profile": None}, "no longer open"),
]


@pytest.mark.parametrize(("path", "body", "words"), BROKEN, ids=range(len(BROKEN)))
def test_bad_input_is_one_line(running, path, body, words):
    status, told = ask(running, path, body)
    assert 400 <= status < 500 and words in told["error"] and "\n" not in told["error"]


def test_the_models_that_could_use_a_file_are_named(running):
    status, told = ask(running, "/api/encode?name=rock.mid", ROCK.read_bytes())
    assert status == 422 and "drums-2bar" in told["models"] and "drums-2bar" in told["error"]


def test_a_piece_in_another_metre_is_told_where_it_fits(running):
    notes = [(beat_, beat_ + 1, 60 + beat_ % 7, 0) for beat_ in range(12)]
    data = midi_bytes(score(notes, metre=(3, 4)))
    status, told = ask(running, "/api/encode?name=waltz.mid", data)
    assert status == 422 and "waltz.mid" in told["error"] and "waltz-2bar" in told["models"]


HOSTILE = [
    ("/api/describe", {"token": False}, 403),
    ("/api/describe", {"X_Musae_Token": "x" * 5000}, 403),
    ("/api/describe", {"Host": "evil.example"}, 403),
    ("/api/describe", {"Host": "127.0.0.1"}, 403),
    ("/", {"Host": "evil.example:80"}, 403),
    ("/api/describe", {"Origin": "http://evil.example"}, 403),
    ("/api/describe", {"Origin": "null"}, 403),
    ("/api/describe", {"Sec_Fetch_Site": "cross-site"}, 403),
    ("/../../../../etc/passwd", {}, 404),
    ("/%2e%2e/%2e%2e/etc/passwd", {}, 404),
    ("/..%2f..%2fpyproject.toml", {}, 404),
    ("/app.js%00.html", {}, 404),
    ("/api/keep", {"method": "GET"}, 405),
    ("/api/recording/1/..%2f..%2fx.wav", {}, 404),
]


# What servers of files were made to give away, and what no route is for.
NOWHERE = """
/.. /../ /../.. /%2e%2e /%2e%2e%2f /..%5c..%5cwin.ini /.%2e/.%2e/x /%252e%252e/x //etc/passwd
///etc/passwd /C:/x /C%3A%5Cx /file:///etc/passwd /app.js/../../app.py /app/index.html /src/main.js
/.git/config /server.py /app.css.map /soundfont.sf3/.. /api /api/ /api/nothing /api/../app.js
/api/corner/-1 /api/corner/x /api/recording/1/x /%00 /%ff%fe
""".split()
HOSTILE += [(path, {}, 404) for path in NOWHERE]


@pytest.mark.parametrize(("path", "options", "status"), HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_not_the_page_is_refused(running, path, options, status):
    given, told = ask(running, path, **options)
    assert given == status and "error" in told


def test_too_large_an_upload_is_refused_before_it_is_read(running, connect):
    connection = connect(running)
    connection.putrequest("POST", "/api/encode?name=x.mid")
    connection.putheader("X-Musae-Token", running.token)
    connection.putheader("Content-Length", str(MAX_BYTES + 1))
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 413 and "64 MiB" in json.loads(answer.read())["error"]


def test_an_upload_without_a_length_is_bounded(running, monkeypatch, connect):
    monkeypatch.setattr(guard, "MAX_BYTES", 1000)
    connection = connect(running)
    headers = {"X-Musae-Token": running.token}
    connection.request(
        "POST", "/api/encode?name=x.mid", iter([b"x" * 600] * 4), headers, encode_chunked=True
    )
    assert connection.getresponse().status == 413


def test_an_upload_that_comes_too_slowly_is_refused():
    async def upload():
        sent = []

        async def app(scope, receive, send):
            with pytest.raises(HTTPException) as refusal:
                while True:
                    await receive()
            sent.append(refusal.value.status_code)

        async def slow():
            await asyncio.sleep(0.02)
            return {"type": "http.request", "body": b"x", "more_body": True}

        scope = {"type": "http", "path": "/", "headers": [(b"host", b"127.0.0.1:1")]}
        await guard.Guard(app, "t", 1, seconds=0.1)(scope, slow, None)
        return sent

    # In a thread of its own: the browser's driver keeps a loop running in this one.
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: asyncio.run(upload())).result() == [408]


def test_a_connection_that_says_nothing_is_closed(running, monkeypatch):
    monkeypatch.setattr(server, "_REQUEST_SECONDS", 0.2)
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as plug:
        plug.sendall(b"GET / HTTP/1.1\r\nHo")
        assert plug.recv(100) == b""


def test_rubbish_and_half_requests_end_and_the_server_goes_on(running):
    for rubbish in (b"\x00\x01\x02\r\n\r\n", b"GET /\r\n\r\n", b"POST / HTTP/1.1\r\nHo"):
        with socket.create_connection(("127.0.0.1", running.port), timeout=5) as plug:
            plug.sendall(rubbish)
    assert ask(running, "/api/describe")[0] == 200


def test_many_clients_are_all_answered(running):
    def client(number):
        return ask(running, "/api/draw", {"count": 2, "seed": number})[0]

    with ThreadPoolExecutor(40) as pool:
        assert set(pool.map(client, range(200))) == {200}


def test_the_page_comes_with_its_rules(running, connect):
    connection = connect(running)
    connection.request("GET", f"/?token={running.token}")
    answer = connection.getresponse()
    assert running.token in answer.read().decode()
    rules = answer.headers["content-security-policy"]
    assert "default-src 'self'" in rules and "frame-ancestors 'none'" in rules
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_a_token_cannot_break_out_of_the_page(running):
    _, html = ask(running, "/?token=%3C/script%3E%3Cscript%3Ealert(1)%3C/script%3E")
    assert b"<script>alert" not in html


def test_a_port_in_use_is_named():
    taken = listen(None)
    with pytest.raises(UsageError, match="is in use"):
        listen(taken.getsockname()[1])
    other = listen(None)
    assert other.getsockname() != taken.getsockname() and other.getsockname()[0] == "127.0.0.1"
    taken.close()
    other.close()


def test_a_page_goes_on_when_the_program_is_started_again(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = server._token()
    (kept,) = tmp_path.rglob("play-token")
    assert server._token() == first and kept.stat().st_mode & 0o077 == 0
    kept.chmod(0o644)
    assert server._token() != first  # somebody else may have read it
    os.utime(kept, (0, 0))
    assert server._token() != first


def test_names_of_kept_files(tmp_path):
    kept = Kept(tmp_path / "kept")
    names = [kept.write(title, ".mid", b"x").name for title in ("a b", "../../etc", "", "é" * 99)]
    assert names[:3] == ["0001 a b.mid", "0002 etc.mid", "0003 untitled.mid"]
    assert len(names[3]) < 80 and plain("x\x00y/z") == "x y z"
    assert Kept(tmp_path / "kept").write("later", ".mid", b"x").name == "0005 later.mid"


def test_kept_files_of_several_tabs_do_not_meet(tmp_path):
    kept = Kept(tmp_path / "kept")
    threads = [threading.Thread(target=kept.write, args=("t", ".mid", b"x")) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(kept.folder.iterdir())) == 20
