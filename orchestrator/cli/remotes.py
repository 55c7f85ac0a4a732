# SPDX-License-Identifier: MIT
"""`pycontainer push`, `pull`, `fetch`, `clone`, `ls-remote` and `remote`: words in, screens out."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from orchestrator import remotes
from orchestrator.build.workspace import Workspace
from orchestrator.canonical import read_limited
from orchestrator.cli import remote_screens
from orchestrator.cli.commands import Result, loaded, reporter
from orchestrator.errors import ConfigError
from orchestrator.history.several import common_source
from orchestrator.history.source import read_source
from orchestrator.history.worktree import check_out
from orchestrator.oci import Store
from orchestrator.product.load import PRODUCT_FILE, find_product_file, load_product
from orchestrator.product.model import Product
from orchestrator.progress import Reporter
from orchestrator.revision import Revision
from orchestrator.trust import PublicKey, load_keys

_KEY_LIMIT = 64 * 1024


def _places(product: Product, place: Workspace) -> remotes.RemoteConfig:
    return remotes.load_remotes(place.root, product.registry)


def _remote(config: remotes.RemoteConfig, word: str) -> tuple[str, remotes.Location]:
    """Return a remote's name and place; a place that has no name is asked without one, as git does."""
    if not word or word in config.remotes or ("/" not in word and not Path(word).exists()):
        entry = config.named(word)
        return entry.name, entry.location
    location = remotes.parse_location(word)
    named = next((each.name for each in config.remotes.values() if each.url == word), "")
    return named or "elsewhere", location


@contextmanager
def _work(
    report: Reporter, place: Workspace, config: remotes.RemoteConfig, word: str, product: str, *, write: bool = False
) -> Iterator[remotes.Work]:
    name, location = _remote(config, word)
    store = Store.open(place.store) if write else Store.open_or_create(place.store)
    view = report.view

    def say(text: str) -> None:
        view.message("note", text)

    with remotes.open_peer(location, write=write, note=say) as peer:
        yield remotes.Work(peer, name, store, remotes.trusted_here(load_keys(product)), view.amount, say)


def push(options: Namespace) -> Result:
    """`pycontainer push`."""
    product, place = loaded(options)
    config = _places(product, place)
    plan = remotes.plan_push(
        Store.open(place.store),
        product.machines,
        options.machine,
        options.what,
        to=options.channel,
        tags=options.tag,
        all_tags=options.tags,
    )
    with (
        reporter(options.json) as report,
        _work(report, place, config, options.remote, product.product, write=True) as work,
        report.step(f"push {plan.channel or options.what} to {work.remote}") as step,
    ):
        done = remotes.push(work, plan, force=options.force)
        step.result = remote_screens.moved(done.moved)
    return Result(
        remote_screens.push_screen(done, work.remote, plan.tags),
        remote_screens.push_data(done, work.remote, plan.tags),
    )


def fetch(options: Namespace) -> Result:
    """`pycontainer fetch`."""
    return _bring(options, follow=False)


def pull(options: Namespace) -> Result:
    """`pycontainer pull`."""
    return _bring(options, follow=True)


def _bring(options: Namespace, *, follow: bool) -> Result:
    product, place = loaded(options)
    config = _places(product, place)
    names = options.channels or ([remotes.MAIN] if follow else [])
    pulled: list[remotes.Pulled] = []
    fetched: list[remotes.Fetched] = []
    tagged: list[remotes.FetchedTag] = []
    with (
        reporter(options.json) as report,
        _work(report, place, config, options.remote, product.product) as work,
        report.step(f"{'pull' if follow else 'fetch'} {' '.join(names)} from {work.remote}".replace("  ", " ")) as step,
    ):
        listing = work.peer.listing(tags=True)
        lines = {each.name for each in (*listing.pointers, *listing.heads)}
        tags = [] if follow else [name for name in names if name in listing.tags and name not in lines]
        names = [name for name in names if name not in tags]
        if names or not tags:
            machines = [options.machine] if options.machine else product.machines
            wanted = remotes.wanted_of(work, listing, machines, names)
            fetched = remotes.fetch(work, listing, wanted, options.depth)
        tagged = [remotes.fetch_tag(work, listing, each, options.machine, options.depth) for each in tags]
        if follow:
            pulled = remotes.pull_all(work, fetched, reset=options.reset)
        amounts = [*(each.moved for each in fetched), *(each.moved for each in tagged)]
        step.result = remote_screens.moved(sum(amounts, remotes.Moved()))
    if follow:
        releases = {name: each.id for name, each in work.taken.items()}
        return Result(
            remote_screens.pull_screen(pulled, work.remote, releases),
            remote_screens.pull_data(pulled, work.remote, releases),
        )
    return Result(
        remote_screens.fetch_screen(fetched, tagged, work.remote),
        remote_screens.fetch_data(fetched, tagged, work.remote),
    )


def clone(options: Namespace) -> Result:
    """`pycontainer clone`."""
    location = remotes.parse_location(options.reference)
    files = [word for word in options.key if Path(word).is_file()]
    request = remotes.CloneRequest(
        location=location,
        folder=options.folder,
        channel=options.channel,
        machine=options.machine,
        bare=options.bare,
        depth=options.depth,
        keys=tuple(PublicKey.from_pem(read_limited(Path(word), _KEY_LIMIT)) for word in files),
        keyids=tuple(word for word in options.key if word not in files),
    )
    with (
        reporter(options.json) as report,
        remotes.open_peer(location, note=lambda text: report.view.message("note", text)) as peer,
        report.step(f"clone {location}") as step,
    ):

        def say(text: str) -> None:
            report.view.message("note", text)

        done = remotes.clone(request, peer, partial(_checkout, say), tell=report.view.amount, say=say)
        moved = sum((each.fetched.moved for each in done.pulled), remotes.Moved())
        step.result = remote_screens.moved(moved)
    return Result(remote_screens.clone_screen(done), remote_screens.clone_data(done))


def _checkout(
    say: Callable[[str], None], store: Store, revisions: Sequence[Revision], folder: Path
) -> list[str] | None:
    """Write the sources of revisions; returns the files that they do not hold, or None when they have no sources."""
    try:
        listed = common_source(store, revisions)
    except ConfigError as problem:  # its history is whole all the same, and any of them can be checked out
        say(f"{problem.what}: the product's files are those of {revisions[0].config.machine}")
        listed = read_source(store, revisions[0].id)
    return None if listed is None else check_out(store, listed, folder).absent


def ls_remote(options: Namespace) -> Result:
    """`pycontainer ls-remote`."""
    location = _any_place(options)
    with (
        reporter(options.json) as report,
        remotes.open_peer(location, note=lambda text: report.view.message("note", text)) as peer,
        report.step(f"look at {location}") as step,
    ):
        found = remotes.look(peer, peer.listing(tags=True), revisions=options.revisions)
        step.result = f"{len(found)} names"
    return Result(
        remote_screens.listing_screen(found, str(location)), remote_screens.listing_data(found, str(location))
    )


def _any_place(options: Namespace) -> remotes.Location:
    """Return the place that is meant; outside of a product's folder it must be named in full."""
    folder = options.product
    inside = folder.is_file() or (folder / PRODUCT_FILE).is_file()
    if not inside and options.remote:
        return remotes.parse_location(options.remote)
    product, place = loaded(options)
    return _remote(_places(product, place), options.remote)[1]


def remote_add(options: Namespace) -> Result:
    """`pycontainer remote add`."""
    config = _config(options).add(options.name, options.url)
    config.write()
    entry = config.named(options.name)
    return Result(f"{entry.name}: {entry.url} ({entry.location.kind})", {"remote": entry.name, "url": entry.url})


def remote_rm(options: Namespace) -> Result:
    """`pycontainer remote rm`."""
    config = _config(options)
    config.remove(options.name).write()
    store = config.root / ".pycontainer" / "store"
    gone = remotes.forget(Store.open(store), options.name) if (store / "oci-layout").exists() else 0
    text = f"{options.name} removed" + (f", with {gone} channels last seen there" if gone else "")
    return Result(text, {"removed": options.name, "forgotten": gone})


def remote_ls(options: Namespace) -> Result:
    """`pycontainer remote ls`."""
    config = _config(options)
    return Result(remote_screens.remotes_screen(config), remote_screens.remotes_data(config))


def _config(options: Namespace) -> remotes.RemoteConfig:
    file = find_product_file(options.product)
    return remotes.load_remotes(file.parent, load_product(file).registry)
