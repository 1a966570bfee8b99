"""moto's server with its state on disk, for the local AWS API.

moto keeps everything in memory. This launcher starts its ordinary server
application and adds six things, each because the local system needs it:

persistence
    After a mutating request (at most DEBOUNCE seconds later, and on SIGTERM)
    all backends in use are written as one pickle, so that references between
    services survive; it is read back at start. kill -9 loses at most the last
    DEBOUNCE seconds. Bodies (S3 objects, Lambda code) lie beside the pickle in
    files named by their SHA-256 and are written once.
AWS managed policies on demand
    MOTO_IAM_LOAD_MANAGED_POLICIES builds all 1,400 policies on the first IAM
    call (over 10 s). Here a policy is built when it is first named.
certificates that are issued
    ACM waits a minute before it calls a DNS-validated certificate ISSUED. A
    stack waits for it, so the wait is zero.
times of pipelines as numbers
    moto writes them as text, which Go's SDK refuses.
the version of a secret that a label moved to
    moto goes on to answer with the former one where a request names none.
rules that change places
    moto refuses a priority that another rule of the same request leaves. The load
    balancer controller moves rules up for each Ingress that comes before others.

Usage: serve.py --port N --dir DIR
"""

import argparse
import collections
import functools
import hashlib
import importlib
import inspect
import io
import os
import pickle
import signal
import sys
import threading
import time
import types
import weakref

os.environ.setdefault("MOTO_ACM_VALIDATION_WAIT", "0")
os.environ.setdefault("MOTO_ACCOUNT_ID", "000000000000")
# No default AMIs: 1,000 images that nothing here starts would sit in every snapshot.
os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")

import moto  # noqa: E402
from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: E402
from moto.backends import get_backend  # noqa: E402
from moto.codepipeline import models as codepipeline_models  # noqa: E402
from moto.core.base_backend import AccountSpecificBackend, BackendDict  # noqa: E402
from moto.core.utils import unix_time  # noqa: E402
from moto.elbv2 import models as elbv2_models  # noqa: E402
from moto.iam import models as iam_models  # noqa: E402
from moto.moto_server.werkzeug_app import (  # noqa: E402
    DomainDispatcherApplication,
    create_backend_app,
)
from moto.s3.models import FakeKey  # noqa: E402
from moto.secretsmanager import models as secretsmanager_models  # noqa: E402
from werkzeug.serving import WSGIRequestHandler, make_server  # noqa: E402

DEBOUNCE = 0.4  # seconds between a mutating request and its snapshot
LARGE = 64 << 10  # bytes objects from this size on lie in their own file
FORMAT = 1  # raised when a snapshot of an older launcher cannot be read

# ---------------------------------------------------------------- pickling


class Blobs:
    """Immutable bytes by SHA-256, one file each."""

    def __init__(self, directory):
        self.dir = os.path.join(directory, "blobs")
        os.makedirs(self.dir, exist_ok=True)
        self.used = set()
        self._names = {}  # id -> (object, name): large bytes are hashed once
        self._keys = weakref.WeakKeyDictionary()  # FakeKey -> (etag, name)

    def _store(self, data):
        name = hashlib.sha256(data).hexdigest()
        path = os.path.join(self.dir, name)
        if not os.path.exists(path):
            write_atomically(path, data)
        return name

    def of_bytes(self, data):
        known = self._names.get(id(data))
        if known is None or known[0] is not data:
            known = self._names[id(data)] = (data, self._store(data))
        self.used.add(known[1])
        return known[1]

    def of_key(self, key):
        mark = (key.etag, key.contentsize)
        known = self._keys.get(key)
        if known is None or known[0] != mark:
            known = self._keys[key] = (mark, self._store(key.value))
        self.used.add(known[1])
        return known[1]

    def read(self, name):
        with open(os.path.join(self.dir, name), "rb") as f:
            return f.read()

    def sweep(self):
        """Removes files that the snapshot just written does not name."""
        for name in os.listdir(self.dir):
            if name not in self.used:
                os.unlink(os.path.join(self.dir, name))
        self._names = {k: v for k, v in self._names.items() if v[1] in self.used}


class Body:
    """Marks the content of an S3 object inside a snapshot."""

    def __init__(self, name):
        self.name = name


def make_lock():
    return threading.Lock()


def make_rlock():
    return threading.RLock()


def load_private_key(pem):
    return serialization.load_pem_private_key(pem, password=None)


def load_public_key(pem):
    return serialization.load_pem_public_key(pem)


def load_certificate(pem):
    return x509.load_pem_x509_certificate(pem)


def local_code(module, qualname, line):
    """The code of a function defined inside another one, found by its place."""
    outer, _, name = qualname.partition(".<locals>.")
    found = importlib.import_module(module)
    for part in outer.split("."):
        found = getattr(found, part)
    stack = [inspect.unwrap(getattr(found, "__func__", found)).__code__]
    name = name.rpartition(".")[2] or name
    while stack:
        code = stack.pop()
        if code.co_name == name and code.co_firstlineno == line:
            return code
        stack.extend(c for c in code.co_consts if isinstance(c, types.CodeType))
    raise pickle.UnpicklingError(f"{module}.{qualname} is not at line {line} any more")


def make_local_function(module, qualname, line, defaults, closure):
    code = local_code(module, qualname, line)
    cells = tuple(types.CellType(value) for value in closure)
    scope = importlib.import_module(module).__dict__
    function = types.FunctionType(code, scope, code.co_name, defaults, cells)
    function.__qualname__, function.__module__ = qualname, module
    return function


def plain_base(kind):
    """dict, OrderedDict or defaultdict: what a class of moto extends."""
    return next(c for c in kind.__mro__ if not c.__module__.startswith("moto."))


def new_object(kind):
    return kind.__new__(kind)


def reduce_backend_dict(obj):
    if isinstance(obj, BackendDict):
        return backend_dict, (obj.service_name,)
    return account_backend, (obj.service_name, obj.account_id)


def backend_dict(service):
    return get_backend(service)


def account_backend(service, account):
    return get_backend(service)[account]


def empty_weak_dictionary(kind):
    return kind()


PRIVATE_KEYS = (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey)
PUBLIC_KEYS = (rsa.RSAPublicKey, ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey)
LOCK, RLOCK = type(threading.Lock()), type(threading.RLock())


class Pickler(pickle.Pickler):
    """Pickles backends, and the few things inside them that pickle refuses."""

    def __init__(self, file, blobs):
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self.blobs = blobs

    def persistent_id(self, obj):
        if type(obj) is bytes and len(obj) >= LARGE:
            return self.blobs.of_bytes(obj)
        if type(obj) is Body:
            return obj.name
        return None

    def reducer_override(self, obj):
        if isinstance(obj, FakeKey):
            state = dict(obj.__dict__)
            del state["_value_buffer"], state["lock"]
            if obj._value_buffer.closed:
                # The part of a finished upload: its object has the content.
                state["value"], state["disposed"] = b"", True
            elif obj.contentsize < LARGE:
                state["value"] = obj.value
            else:
                state["value"] = Body(self.blobs.of_key(obj))
            # State in a second step: an object may refer to itself through its
            # bucket, and a reduce argument cannot.
            return new_object, (FakeKey,), state, None, None, restore_s3_key
        if isinstance(obj, LOCK):
            return make_lock, ()
        if isinstance(obj, RLOCK):
            return make_rlock, ()
        if isinstance(obj, PRIVATE_KEYS):
            return load_private_key, (
                obj.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                ),
            )
        if isinstance(obj, (BackendDict, AccountSpecificBackend)):
            return reduce_backend_dict(obj)
        if isinstance(obj, dict) and type(obj).__module__.startswith("moto."):
            # Some change what assignment does (S3's keeps every version) or
            # take other arguments than the dict they extend: copy them raw.
            base = plain_base(type(obj))
            factory = getattr(obj, "default_factory", None)
            state = (dict(base.items(obj)), factory, obj.__dict__)
            return new_object, (type(obj),), state, None, None, restore_dict
        if isinstance(obj, PUBLIC_KEYS):
            return load_public_key, (
                obj.public_bytes(
                    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
                ),
            )
        if isinstance(obj, x509.Certificate):
            return load_certificate, (obj.public_bytes(serialization.Encoding.PEM),)
        if isinstance(obj, weakref.WeakValueDictionary):
            # Lambda finds functions by ARN in one. The items come in a second
            # step, because a value may refer to the dictionary.
            return empty_weak_dictionary, (type(obj),), None, None, iter(list(obj.items()))
        if isinstance(obj, weakref.WeakKeyDictionary):
            return empty_weak_dictionary, (type(obj),)
        if isinstance(obj, types.ModuleType):
            return importlib.import_module, (obj.__name__,)
        if isinstance(obj, types.FunctionType) and "<locals>" in obj.__qualname__:
            # defaultdict(lambda: ...) inside a backend: by place, not by byte
            # code, so that another Python reads the snapshot too.
            return make_local_function, (
                obj.__module__,
                obj.__qualname__,
                obj.__code__.co_firstlineno,
                obj.__defaults__,
                tuple(cell.cell_contents for cell in obj.__closure__ or ()),
            )
        return NotImplemented


def restore_s3_key(key, state):
    size = state.get("contentsize", 0)
    key.__setstate__(state)
    if state.get("disposed"):
        key._value_buffer.close()
        key.contentsize = size


def restore_dict(obj, state):
    items, factory, attributes = state
    base = plain_base(type(obj))
    for key, value in items.items():
        base.__setitem__(obj, key, value)
    if factory is not None:
        obj.default_factory = factory
    obj.__dict__.update(attributes)


class Unpickler(pickle.Unpickler):
    def __init__(self, file, blobs):
        super().__init__(file)
        self.blobs = blobs

    def persistent_load(self, name):
        self.blobs.used.add(name)
        return self.blobs.read(name)


# Functions that a pickle names must be found again under a stable module name,
# whether this file runs as a script or is imported by its test.
sys.modules.setdefault("serve", sys.modules[__name__])
for _f in (make_lock, make_rlock, load_private_key, load_public_key, load_certificate, make_local_function,
           backend_dict, account_backend,
           empty_weak_dictionary, restore_s3_key, restore_dict, new_object):
    _f.__module__ = "serve"


def write_atomically(path, data):
    temporary = f"{path}.{os.getpid()}.tmp"
    with open(temporary, "wb") as f:
        f.write(data)
        f.flush()
        os.fsync(f.fileno())
    os.replace(temporary, path)


# ---------------------------------------------------------------- snapshots


class Gate:
    """Many requests, or one snapshot."""

    def __init__(self):
        self._condition = threading.Condition()
        self._requests = 0
        self._snapshot = False

    def enter(self):
        with self._condition:
            while self._snapshot:
                self._condition.wait()
            self._requests += 1

    def leave(self):
        with self._condition:
            self._requests -= 1
            self._condition.notify_all()

    def __enter__(self):
        with self._condition:
            while self._snapshot:
                self._condition.wait()
            self._snapshot = True
            while self._requests:
                self._condition.wait()

    def __exit__(self, *_):
        with self._condition:
            self._snapshot = False
            self._condition.notify_all()


class Store:
    """Writes and reads the state of all backends in one directory."""

    def __init__(self, directory):
        os.makedirs(directory, exist_ok=True)
        self.path = os.path.join(directory, "state.pickle")
        self.blobs = Blobs(directory)
        self.gate = Gate()
        self._changes = self._written = 0
        self._dirty = threading.Event()
        self._writing = threading.Lock()

    def changed(self):
        """Notes a change. The caller is inside the gate, so no snapshot is being taken."""
        self._changes += 1
        self._dirty.set()

    def saved(self):
        """Whether every change so far is on disk."""
        return self._written == self._changes

    def run(self):
        while True:
            self._dirty.wait()
            time.sleep(DEBOUNCE)
            try:
                self.save()
            except Exception as e:  # keep serving; the next change tries again
                print(f"snapshot failed, the last one is kept: {e!r}", file=sys.stderr, flush=True)

    def save(self):
        with self._writing:
            self._dirty.clear()
            file = io.BytesIO()
            with self.gate:
                changes = self._changes
                self.blobs.used = set()
                Pickler(file, self.blobs).dump(
                    {"format": FORMAT, "moto": moto.__version__, "backends": backends_in_use()}
                )
            write_atomically(self.path, file.getvalue())
            self._written = changes
            self.blobs.sweep()

    def load(self):
        """Restores the snapshot; returns False when there is none."""
        if not os.path.exists(self.path):
            return False
        with open(self.path, "rb") as f:
            state = Unpickler(f, self.blobs).load()
        if (state["format"], state["moto"]) != (FORMAT, moto.__version__):
            raise SystemExit(
                f"{self.path} was written by moto {state['moto']}, this is {moto.__version__}: "
                "remove the directory (make local-reset) or install that version"
            )
        for service, accounts in state["backends"].items():
            for account, regions in accounts.items():
                target = get_backend(service)[account]
                for region, backend in regions.items():
                    target[region] = backend
        return True


def backends_in_use():
    found = {}
    for service in {id(b): b for b in BackendDict._instances}.values():
        for account, regions in service.items():
            found.setdefault(service.service_name, {})[account] = dict(regions.items())
    return found


# ---------------------------------------------------------------- the server

READS = ("Describe", "List", "Get", "BatchGet", "Head", "Lookup", "Search", "Filter", "Select",
         "Decrypt", "Encrypt", "GenerateData", "Assume", "Simulate", "Test", "Validate")


def is_read(environ, body):
    """Whether a request only reads: by method, or by the action's verb."""
    if environ["REQUEST_METHOD"] in ("GET", "HEAD", "OPTIONS"):
        return True
    action = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
    if not action and environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        for pair in body.split(b"&"):
            if pair.startswith(b"Action="):
                action = pair[7:].decode("ascii", "replace")
    # STS hands out credentials that moto remembers, but nobody misses them.
    return action.startswith(READS)


class Application:
    """moto's WSGI application, with snapshots after changes."""

    def __init__(self, store):
        self.store = store
        self.moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ, start_response):
        if environ.get("PATH_INFO") == "/_local/healthz":
            # Who answers, and whether a kill would lose something: what tests must know.
            start_response("200 OK", [("Content-Type", "text/plain"), ("X-Pid", str(os.getpid())),
                                      ("X-State", "saved" if self.store.saved() else "changed")])
            return [b"ok\n"]
        if environ.get("PATH_INFO") == "/_local/drain":
            # Who was killed while it asked for something must see what came of it before it looks.
            with self.store.gate:
                start_response("200 OK", [("Content-Type", "text/plain")])
            return [b"ok\n"]
        body = read_body(environ)
        self.store.gate.enter()
        try:
            # The answer is complete before the snapshot may start.
            return list(self.moto(environ, start_response))
        finally:
            if not is_read(environ, body):
                self.store.changed()
            self.store.gate.leave()


def read_body(environ):
    if environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked":
        body = environ["wsgi.input"].read()
        environ["CONTENT_LENGTH"] = str(len(body))
        environ.pop("HTTP_TRANSFER_ENCODING")
    else:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


class Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"  # keep-alive: a deploy makes thousands of calls

    def log_request(self, code="-", size="-"):
        if str(code)[:1] in "5":
            super().log_request(code, size)


@functools.lru_cache(maxsize=1)
def managed_policy_data():
    import json

    data = json.loads(iam_models.aws_managed_policies_data)
    return {f"{d.get('Path') or '/'}{name}": (name, d) for name, d in data.items()}


def load_managed_policy(backend, arn):
    """Adds the AWS managed policy of that ARN to the backend, once."""
    prefix, separator, name = arn.partition(":iam::aws:policy")
    if not separator or arn in backend.managed_policies:
        return
    found = managed_policy_data().get(name)
    if found:
        policy = iam_models.AWSManagedPolicy.from_data(
            found[0], backend.account_id, backend.region_name, found[1]
        )
        backend.aws_managed_policies.append(policy)
        backend.managed_policies[policy.arn] = policy


def patch_managed_policies():
    backend = iam_models.IAMBackend
    names = ("attach_role_policy", "attach_user_policy", "attach_group_policy", "get_policy",
             "get_policy_version", "list_policy_versions", "put_role_permissions_boundary",
             "create_role", "list_entities_for_policy")
    for name in names:
        original = getattr(backend, name, None)
        if original is None:
            continue

        def wrapper(self, *args, __original=original, **kwargs):
            for value in (*args, *kwargs.values()):
                if isinstance(value, str) and ":iam::aws:policy" in value[:40]:
                    load_managed_policy(self, value)
            return __original(self, *args, **kwargs)

        setattr(backend, name, functools.wraps(original)(wrapper))


def patch_pipeline_times():
    """CodePipeline's times are numbers on AWS, and Go's SDK takes nothing else."""

    def metadata(self):
        return {
            "pipelineArn": self._arn,
            "created": unix_time(self._created),
            "updated": unix_time(self._updated),
        }

    codepipeline_models.CodePipeline.metadata = property(metadata)


def patch_secret_versions():
    """The version without a name is the one that AWSCURRENT was moved to."""
    backend = secretsmanager_models.SecretsManagerBackend
    original = backend.update_secret_version_stage

    def moved(self, secret_id, version_stage, remove_from_version_id, move_to_version_id):
        answer = original(self, secret_id, version_stage, remove_from_version_id, move_to_version_id)
        if version_stage == "AWSCURRENT" and move_to_version_id:
            self.secrets[secret_id].set_default_version_id(move_to_version_id)
        return answer

    backend.update_secret_version_stage = functools.wraps(original)(moved)


def patch_rule_priorities():
    """AWS judges the order that comes of all moves of a request: https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_SetRulePriorities.html"""
    backend = elbv2_models.ELBv2Backend
    original = backend.set_rule_priorities

    def moved(self, rule_priorities):
        rules = self.describe_rules(None, [r["RuleArn"] for r in rule_priorities])
        before = [rule.priority for rule in rules]
        for rule in rules:
            rule.priority = None  # all have left their places before one takes another's
        try:
            return original(self, rule_priorities)
        except Exception:
            for rule, priority in zip(rules, before):
                rule.priority = priority
            raise

    backend.set_rule_priorities = functools.wraps(original)(moved)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--dir", required=True, help="state directory")
    options = parser.parse_args()
    os.environ["MOTO_PORT"] = str(options.port)  # moto's calls to itself

    patch_managed_policies()
    patch_pipeline_times()
    patch_secret_versions()
    patch_rule_priorities()
    store = Store(options.dir)
    started = time.monotonic()
    restored = store.load()
    server = make_server(
        "127.0.0.1", options.port, Application(store), threaded=True, request_handler=Handler
    )
    threading.Thread(target=store.run, daemon=True).start()

    def stop(signum, frame):
        # shutdown() waits for serve_forever, which runs in this thread.
        threading.Thread(target=server.shutdown, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(
        f"moto {moto.__version__} on 127.0.0.1:{options.port}, state "
        f"{'restored' if restored else 'new'} in {time.monotonic() - started:.1f} s",
        flush=True,
    )
    server.serve_forever()
    store.save()


if __name__ == "__main__":
    main()
