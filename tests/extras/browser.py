"""A headless Chromium that opens files from disk, driven by the DevTools protocol."""

import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run")
PATIENCE = 60  # s, for what should take well below one on a machine with nothing else to do


def find_chromium():
    """The path of an installed Chromium or Chrome, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page in a browser with an empty profile; close it, or use it in a ``with`` statement."""

    def __init__(self, downloads, width=1280, height=900):
        self.profile = Path(tempfile.mkdtemp(prefix="chromium-"))
        command = [find_chromium(), *FLAGS, "--remote-debugging-port=0", f"--user-data-dir={self.profile}"]
        self.process = subprocess.Popen([*command, "about:blank"], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)  # fmt: skip
        self.number, self.events, self.dialogs = 0, [], []
        try:
            self.socket = self._connect()
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.send(f"{domain}.enable")
            self.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(downloads))
            self.resize(width, height)
        except BaseException:
            self.close()
            raise

    def _connect(self):
        import websocket

        port_file, stop = self.profile / "DevToolsActivePort", time.monotonic() + PATIENCE
        while not port_file.exists() or not port_file.read_text().strip():
            if time.monotonic() > stop or self.process.poll() is not None:
                raise RuntimeError("Chromium did not start")
            time.sleep(0.05)
        port = port_file.read_text().split()[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
            url = next(one["webSocketDebuggerUrl"] for one in json.load(answer) if one["type"] == "page")
        return websocket.create_connection(url, timeout=PATIENCE, suppress_origin=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.process.terminate()
        self.process.wait(PATIENCE)
        shutil.rmtree(self.profile, ignore_errors=True)

    def send(self, method, **parameters):
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self.number:
                assert "error" not in message, message
                return message["result"]
            self.events.append(message)

    def resize(self, width, height):
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=width < 600)  # fmt: skip

    def open(self, path):
        """Open a file; seconds until the page has drawn its first cards."""
        start = time.monotonic()
        self.send("Page.navigate", url=Path(path).resolve().as_uri())
        self.wait("document.readyState === 'complete' && document.querySelector('main > *') !== null")
        return time.monotonic() - start

    def run(self, script):
        """The value of a JavaScript expression."""
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, condition):
        stop = time.monotonic() + PATIENCE
        while not self.run(condition):
            assert time.monotonic() < stop, f"in vain: {condition}"
            time.sleep(0.02)

    def press(self, *keys):
        """Press keys one after another; again, where a busy browser lost one before the page saw it."""
        self.run("window.seen ??= (addEventListener('keydown', () => window.seen++, true), 1)")
        for key in keys:
            before, text = self.run("window.seen"), {"text": key} if len(key) == 1 else {}
            for _ in range(10):
                self.send("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
                self.send("Input.dispatchKeyEvent", type="keyUp", key=key)
                if self.run("window.seen") > before:
                    break
            else:
                raise RuntimeError(f"the page did not see the key {key!r}")

    def problems(self):
        """Errors, refused scripts, dialogs and requests other than for the page itself."""
        self.run("1")
        found = []
        for event in self.events:
            kind, what = event["method"], event["params"]
            if kind in ("Runtime.exceptionThrown", "Page.javascriptDialogOpening"):
                found.append(what)
            elif kind == "Log.entryAdded" and what["entry"]["level"] == "error":
                found.append(what["entry"]["text"])
            elif kind == "Network.requestWillBeSent" and not what["request"]["url"].startswith(
                ("file:", "data:", "blob:", "about:")
            ):
                found.append(what["request"]["url"])
        return found
