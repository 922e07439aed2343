"""The list of nodes, as php.ini's save_path spells it for either extension."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.addresses import LINK_PORT_OFFSET, Address, parse_address, parse_nodes
from memrep.errors import UsageError
from memrep.storage.version import NODE_MAX

ONE = Address("10.1.1.1", 11211)
TWO = Address("10.2.2.2", 11211)


@pytest.mark.parametrize(
    "text",
    [
        "tcp://10.1.1.1:11211,tcp://10.2.2.2:11211",  # pecl-memcache
        "tcp://10.1.1.1:11211, tcp://10.2.2.2:11211",
        "tcp://10.1.1.1:11211?persistent=1&weight=1&timeout=1&retry_interval=15,tcp://10.2.2.2:11211?weight=2",
        "tcp://10.1.1.1:11211?weight=1 tcp://10.2.2.2:11211",
        "10.1.1.1:11211,10.2.2.2:11211",  # php-memcached
        "10.1.1.1:11211:33,10.2.2.2:11211:67",
        "10.1.1.1:11211;10.2.2.2:11211",
        "10.1.1.1:11211 10.2.2.2:11211",
        "10.1.1.1:11211\n10.2.2.2:11211\n",
        "  10.1.1.1:11211 ,\t10.2.2.2:11211 , ",
        ",,10.1.1.1:11211,,10.2.2.2:11211,",
        "tcp://10.2.2.2:11211,10.1.1.1:11211:1",
    ],
)
def test_every_spelling_of_a_save_path_names_the_same_nodes(text: str) -> None:
    assert parse_nodes(text) == [ONE, TWO]


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("web1:11211", "web1", 11211),
        ("web-1.example.com:1", "web-1.example.com", 1),
        ("tcp://web1:11211", "web1", 11211),
        (" web1:11211 ", "web1", 11211),
        ("web1:011211", "web1", 11211),
        ("web1:55535", "web1", 55535),
        ("[::1]:11211", "::1", 11211),
        ("tcp://[2001:db8::2]:11211", "2001:db8::2", 11211),
        ("[2001:db8::2]:11211:20", "2001:db8::2", 11211),
        ("tcp://[::ffff:10.1.1.1]:11211?weight=20", "10.1.1.1", 11211),
        ("web1:11211:20", "web1", 11211),
        ("web1:11211?weight=20", "web1", 11211),
        ("web1:11211:20?persistent=1", "web1", 11211),
        ("web1:11211?", "web1", 11211),
    ],
)
def test_an_address_is_read(text: str, host: str, port: int) -> None:
    assert parse_address(text) == Address(host, port)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "web1",
        "web1:",
        ":11211",
        "web1:port",
        "web1:-1",
        "web1:11211:",
        "web1:11211:x",
        "web1:11211/0",
        "web1 11211",
        "udp://web1:11211",
        "http://web1:11211",
        "tcp://",
        "tcp:web1:11211",
        "::1:11211",
        "2001:db8::2",
        "[::1]",
        "[::1:11211",
        "[web1]:11211",
        "/run/memcached.sock",
        "web1:11211\nweb2:11211",
    ],
)
def test_what_is_no_address_is_refused_in_one_line_that_shows_how_to_write_it(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_address(text, "--self")
    line = str(refused.value)
    assert line.startswith("--self")
    assert "tcp://10.1.1.1:11211" in line
    assert "\n" not in line


@pytest.mark.parametrize("port", [0, 55_536, 65_535, 65_536, 99_999_999_999])
def test_a_port_must_leave_room_for_that_of_the_links(port: int) -> None:
    with pytest.raises(UsageError, match=rf"port {port} .* from 1 to 55535.*port \+ 10000"):
        parse_address(f"web1:{port}")


@pytest.mark.parametrize("text", ["", " ", ",", " ;\n, "])
def test_an_empty_list_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--nodes is empty"):
        parse_nodes(text)


@pytest.mark.parametrize(
    "text", ["web1:1,web1:1", "web1:1,web2:1,tcp://web1:1?weight=2", "[::1]:1 [::1]:1:5", "web1:1,web1:01"]
)
def test_a_node_that_is_named_twice_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"names \S+ twice"):
        parse_nodes(text)


def test_one_host_may_run_several_nodes() -> None:
    assert parse_nodes("web1:2,web1:1") == [Address("web1", 1), Address("web1", 2)]


def test_a_unix_socket_is_refused() -> None:
    with pytest.raises(UsageError, match="a unix socket reaches one machine only"):
        parse_nodes("unix:///run/memcached.sock,10.1.1.1:11211")


def test_as_many_nodes_as_there_are_numbers_and_no_more() -> None:
    names = [f"web{number}:11211" for number in range(NODE_MAX + 1)]
    assert len(parse_nodes(",".join(names[:-1]))) == NODE_MAX
    with pytest.raises(UsageError, match=f"names {NODE_MAX + 1} nodes; {NODE_MAX} are the most"):
        parse_nodes(",".join(names))


def test_the_worst_of_a_list_is_named() -> None:
    with pytest.raises(UsageError, match="'web2' is no HOST:PORT"):
        parse_nodes("web1:1,web2,web3:1")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("[2001:DB8::1]:1", "[2001:db8::1]:1"),
        ("[2001:db8:0:0::1]:1", "[2001:db8::1]:1"),
        ("[0:0:0:0:0:0:0:1]:1", "[::1]:1"),
        ("Web1.Example.COM:1", "web1.example.com:1"),
    ],
)
def test_the_spelling_of_a_host_does_not_matter(one: str, other: str) -> None:
    assert parse_nodes(one) == parse_nodes(other)


@pytest.mark.parametrize("text", ["web1:11211", "10.1.1.1:1", "[::1]:11211", "[2001:db8::2]:55535"])
def test_an_address_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_address(text)) == text


def test_links_use_the_port_above() -> None:
    assert Address("web1", 11211).link_port == 11211 + LINK_PORT_OFFSET == 21211


addresses = st.builds(
    Address,
    st.one_of(
        st.ip_addresses(v=4).map(str),
        # An IPv4 address in IPv6's clothes (::ffff:...) is read as the former.
        st.ip_addresses(v=6).map(str).filter(lambda address: not address.startswith("::ffff:")),
        st.from_regex(r"\A[a-z][a-z0-9]{0,9}\Z"),
    ),
    st.integers(1, 55_535),
)


@given(st.lists(addresses, min_size=1, max_size=9, unique=True), st.randoms(use_true_random=False), st.data())
def test_every_server_numbers_the_nodes_alike_in_whatever_order_they_are_listed(
    nodes: list[Address], random_bytes: object, data: st.DataObject
) -> None:
    shuffled = list(nodes)
    random_bytes.shuffle(shuffled)  # type: ignore[attr-defined]
    spell = st.sampled_from(["{}", "tcp://{}", "{}:10", "tcp://{}?weight=1", " {}"])
    text = ",".join(data.draw(spell).format(node) for node in shuffled)
    assert parse_nodes(text) == sorted(nodes)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    try:
        nodes = parse_nodes(text)
    except UsageError as error:
        assert "\n" not in str(error)
    else:
        assert nodes
