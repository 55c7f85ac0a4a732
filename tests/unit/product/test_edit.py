# SPDX-License-Identifier: MIT
"""A product file is edited in the lines of one layer; what else stands in it stays, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from orchestrator.errors import ConfigError
from orchestrator.product import load_product
from orchestrator.product.edit import add_layers, edit_product, remove_layer
from orchestrator.product.yamltext import entry

DEMO = (Path(__file__).parents[3] / "examples" / "demo" / "pycontainer.yaml").read_text()
SHOP = {"kind": "app", "from": {"tar": "shop.tar"}, "ports": ["8080:80"], "version": "1.10"}


def test_a_layer_is_added_behind_the_others_and_the_rest_stays():
    after = add_layers({"shop": SHOP})(DEMO)
    assert after.startswith(DEMO)
    assert after.removeprefix(DEMO) == (
        "\n  shop:\n    kind: app\n    from: {tar: shop.tar}\n    ports: ['8080:80']\n    version: '1.10'\n"
    )


def test_what_was_added_is_removed_without_a_trace():
    assert remove_layer("shop")(add_layers({"shop": SHOP})(DEMO)).rstrip("\n") == DEMO.rstrip("\n")


def test_a_layer_goes_with_the_comment_above_it_and_no_other():
    second = (
        "  # second\n  # of two\n  two:   # here\n    kind: app\n    from: {tar: b}   # there\n    # memory: 1MiB\n\n"
    )
    text = (
        "product: a # it\nversion: 1.0\nmachine: m\n# all of them\nlayers:\n"
        "  # first\n  one: {kind: app, from: {tar: a}}\n\n"
        + second
        + "  # the last\n  three: {kind: app, from: {tar: c}}\n# the end\n"
    )
    assert remove_layer("two")(text) == text.replace(
        "  # second\n  # of two\n  two:   # here\n    kind: app\n    from: {tar: b}   # there\n    # memory: 1MiB\n\n",
        "",
    )
    added = add_layers({"four": SHOP})(text)
    assert added.endswith("# the end\n")
    assert "  three: {kind: app, from: {tar: c}}\n\n  four:\n" in added


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n\n"])
def test_the_files_own_line_ends_and_indentation_are_kept(end):
    newline = "\r\n" if end == "\r\n" else "\n"
    lines = [
        "product: a",
        "version: 1",
        "machine: m",
        "layers:",
        "    one:",
        "        kind: app",
        "        from: {tar: a}",
    ]
    text = newline.join(lines) + end
    after = add_layers({"two": {"kind": "app", "from": {"tar": "b"}}})(text)
    wanted = newline.join(["    two:", "        kind: app", "        from: {tar: b}"])
    assert wanted in after
    assert after.count("\r") == (after.count("\n") if newline == "\r\n" else 0)
    assert yaml.safe_load(after)["layers"] == {
        "one": {"kind": "app", "from": {"tar": "a"}},
        "two": {"kind": "app", "from": {"tar": "b"}},
    }


@pytest.mark.parametrize("head", ["", "layers:\n", "layers:  # none yet\n"])
def test_the_first_layer_of_a_product_is_added(head):
    after = add_layers({"one": {"kind": "app", "from": {"tar": "a"}}})("product: a\nversion: 1\nmachine: m\n" + head)
    assert yaml.safe_load(after)["layers"] == {"one": {"kind": "app", "from": {"tar": "a"}}}


def test_a_layer_that_is_there_is_only_replaced_on_demand():
    with pytest.raises(ConfigError, match="has a layer web already"):
        add_layers({"web": SHOP})(DEMO)
    after = add_layers({"rootfs": SHOP}, replace=True)(DEMO)
    before, _, _ = DEMO.partition("  rootfs:\n")
    assert after.startswith(before + "  rootfs:\n    kind: app\n    from: {tar: shop.tar}\n")
    assert after.endswith(DEMO[DEMO.index("\n  web:\n") :])


def test_a_text_of_several_lines_at_the_end_stays_whole():
    text = "product: a\nlayers:\n  one:\n    kind: app\n    command:\n      - |\n        # no comment\n\n"
    after = add_layers({"two": SHOP})(text)
    assert yaml.safe_load(after)["layers"]["one"]["command"] == ["# no comment\n"]


@pytest.mark.parametrize(
    "text",
    [
        "product: a\nlayers: {one: {kind: app}}\n",
        "{product: a, layers: {}}\n",
        "product: a\nlayers: [one]\n",
        "- product\n",
        "product: [\n",
    ],
)
def test_a_file_in_which_layers_have_no_lines_is_left_to_its_author(text):
    with pytest.raises(ConfigError):
        add_layers({"two": SHOP})(text)


def test_anchors_that_a_removal_would_break_are_found():
    text = "product: a\nlayers:\n  one: &one\n    kind: app\n  two: *one\n"
    assert yaml.safe_load(remove_layer("two")(text)) == {"product": "a", "layers": {"one": {"kind": "app"}}}
    with pytest.raises(ConfigError, match="without changing more"):
        remove_layer("one")(text)
    assert yaml.safe_load(add_layers({"three": SHOP})(text))["layers"]["two"] == {"kind": "app"}


def test_a_wrong_edit_leaves_the_file_and_says_why(tmp_path: Path):
    path = tmp_path / "pycontainer.yaml"
    path.write_text(DEMO)
    path.chmod(0o640)
    with pytest.raises(ConfigError) as caught:
        edit_product(path, remove_layer("rootfs"))
    assert "layer web comes after rootfs, which is not a layer of this product" in caught.value.what
    with pytest.raises(ConfigError, match="memory must be at least"):
        edit_product(path, add_layers({"shop": SHOP | {"memory": "1B"}}))
    assert path.read_text() == DEMO
    product = edit_product(path, add_layers({"shop": SHOP}))
    assert list(product.layers) == ["rootfs", "web", "shop"]
    assert load_product(path) == product
    assert path.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in tmp_path.iterdir()] == ["pycontainer.yaml"]


def test_a_product_file_that_is_a_link_stays_one(tmp_path: Path):
    (tmp_path / "real.yaml").write_text(DEMO)
    path = tmp_path / "pycontainer.yaml"
    path.symlink_to("real.yaml")
    edit_product(path, add_layers({"shop": SHOP}))
    assert path.is_symlink()
    assert "shop" in load_product(tmp_path / "real.yaml").layers


words = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\x85\u2028\u2029\ufeff"), max_size=30
)
scalars = (
    words
    | st.integers(-(2**40), 2**40)
    | st.booleans()
    | st.none()
    | st.sampled_from(["1.10", "53:53", "no", "|", "a\nb"])
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4), max_leaves=20
)


@given(st.dictionaries(words, values, max_size=8), st.integers(0, 6), st.integers(1, 4))
def test_every_value_is_read_back_as_it_was_written(value, column, step):
    text = " " * column + "outer:\n" + entry("layer", value, column + step, step)
    assert yaml.safe_load(text) == {"outer": {"layer": value}}


comments = st.sampled_from(["", "\n", "  # about it\n", "# outside\n", "    # inside\n", "\n  # above\n"])
names = st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), min_size=1, max_size=4, unique=True)


@given(names, st.data())
def test_adding_and_removing_leaves_every_other_line(layers, data):
    bodies, text = {}, "# a file\nproduct: a\nlayers:\n"
    for name in layers:
        layer = data.draw(st.dictionaries(st.sampled_from(["x", "y", "z"]), values, max_size=3))
        bodies[name] = entry(name, layer, 2)
        text += data.draw(comments) + bodies[name]
    foot = data.draw(st.sampled_from(["", "# the end\n", "other: 1\n", "\n\nother: [1]\n"]))
    text += foot
    assume(yaml.safe_load(text) is not None)
    after = add_layers({"new": SHOP})(text)
    lines = entry("new", SHOP, 2, block=True)
    assert lines in after
    assert [line for line in after.replace(lines, "", 1).split("\n") if line] == [
        line for line in text.split("\n") if line
    ]
    gone = remove_layer(layers[0])(after)
    expected = yaml.safe_load(text)
    del expected["layers"][layers[0]]
    assert yaml.safe_load(gone) == expected | {"layers": expected["layers"] | {"new": SHOP}}
    for name in layers[1:]:
        assert bodies[name] in gone
