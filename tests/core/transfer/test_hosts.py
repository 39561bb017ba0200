import pytest

from core.transfer.hosts import LONGEST_SUSPICION, Hosts, Trust

A, B, C = "a:80", "b:80", "c:80"


def fill(hosts: Hosts, host: str, now: float = 0.0, first: int = 0) -> int:
    """Start transfers until no more may be; return how many."""
    count = 0
    while hosts.may_start(host, now):
        hosts.started(host, first + count)
        count += 1
    return count


def fail_in_a_row(
    hosts: Hosts, count: int, files: int = 2, now: float = 0.0, first: int = 0, failing: bool = False
) -> float:
    """Let `count` tries fail one after the other, each as soon as it may be made; return the time of the last one."""
    for number in range(count):
        now = max(now, hosts.state(A, now).until or now)
        assert hosts.may_start(A, now)
        hosts.started(A, first + number % files)
        hosts.failed(A, first + number % files, now, failing=failing)
    return now


def test_a_host_has_no_more_than_its_slots() -> None:
    assert fill(Hosts(16, 4), A) == 4


def test_a_lone_host_may_use_all_slots() -> None:
    assert fill(Hosts(16, 16), A) == 16


def test_each_of_two_hosts_gets_its_half() -> None:
    hosts = Hosts(16, 16)
    hosts.wants(A, 1000)
    hosts.wants(B, 1000)
    assert fill(hosts, A) == 8
    assert fill(hosts, B) == 8
    assert not hosts.may_start(A, 0)


def test_slots_that_others_do_not_need_are_used() -> None:
    hosts = Hosts(16, 16)
    hosts.wants(A, 1000)
    hosts.wants(B, 3)
    assert fill(hosts, A) == 13


def test_every_host_gets_a_slot_even_if_there_are_more_hosts_than_slots() -> None:
    hosts = Hosts(2, 2)
    for host in (A, B, C):
        hosts.wants(host, 10)
    assert fill(hosts, A) == 1
    assert fill(hosts, B) == 1
    hosts.succeeded(A, 0)
    assert hosts.may_start(C, 0)


def test_a_resting_host_does_not_hold_slots_back() -> None:
    hosts = Hosts(16, 16)
    hosts.wants(A, 1000)
    hosts.wants(B, 1000)
    now = fail_in_a_row(hosts, 5)
    assert fill(hosts, B, now) == 16


def test_retry_after_closes_the_whole_host_and_no_other() -> None:
    hosts = Hosts(16, 16)
    hosts.started(A, 1)
    hosts.failed(A, 1, 100.0, retry_after=30.0)
    assert not hosts.may_start(A, 129.9)
    assert hosts.may_start(A, 130.0)
    assert hosts.may_start(B, 100.0)
    assert hosts.state(A, 100.0).until == 130.0


def test_retry_after_holds_although_another_transfer_succeeds() -> None:
    hosts = Hosts(16, 16)
    hosts.started(A, 1)
    hosts.started(A, 2)
    hosts.failed(A, 1, 100.0, retry_after=30.0)
    hosts.succeeded(A, 2)
    assert not hosts.may_start(A, 110.0)


def test_a_shorter_wish_does_not_shorten_a_longer_one() -> None:
    hosts = Hosts(16, 16)
    hosts.started(A, 1)
    hosts.started(A, 2)
    hosts.failed(A, 1, 100.0, retry_after=60.0)
    hosts.failed(A, 2, 101.0, retry_after=1.0)
    assert not hosts.may_start(A, 159.0)


def test_a_suspected_host_is_tried_by_one_transfer_at_a_time() -> None:
    hosts = Hosts(16, 16)
    hosts.started(A, 1)
    hosts.failed(A, 1, 10.0)
    assert hosts.state(A, 10.0).trust is Trust.SUSPECTED
    assert not hosts.may_start(A, 10.9)
    assert hosts.may_start(A, 11.0)
    hosts.started(A, 2)
    assert not hosts.may_start(A, 11.0)
    hosts.succeeded(A, 2)
    assert hosts.state(A, 11.0).trust is Trust.TRUSTED
    assert fill(hosts, A, 11.0, first=10) == 16


def test_the_time_between_tries_of_a_suspected_host_doubles_to_eight_seconds() -> None:
    hosts = Hosts(16, 16)
    waits = []
    now = 0.0
    for number in range(7):
        hosts.started(A, 1)
        hosts.failed(A, 1, now)
        until = hosts.state(A, now).until
        assert until is not None, number
        waits.append(until - now)
        now = until
    assert waits == [1, 2, 4, 8, 8, 8, 8]


def test_a_file_that_fails_again_while_others_are_served_leaves_the_host_in_trust() -> None:
    hosts = Hosts(16, 16)
    hosts.started(A, 1)
    hosts.failed(A, 1, 10.0)
    hosts.started(A, 2)
    hosts.succeeded(A, 2)
    hosts.started(A, 1)
    hosts.failed(A, 1, 12.0)
    assert hosts.state(A, 12.0).trust is Trust.TRUSTED


def test_a_host_that_dies_is_suspected_though_only_files_are_left_that_failed_before() -> None:
    hosts = Hosts(16, 16)
    for file in (1, 2):
        hosts.started(A, file)
        hosts.failed(A, file, 10.0)
    hosts.started(A, 3)
    hosts.succeeded(A, 3)
    for file in (1, 2):
        hosts.started(A, file)
        hosts.failed(A, file, 20.0)
    assert hosts.state(A, 20.0).trust is Trust.SUSPECTED


def test_one_outage_that_hits_sixteen_transfers_counts_once() -> None:
    hosts = Hosts(16, 16)
    fill(hosts, A)
    for number in range(16):
        hosts.failed(A, number, 50.0)
    assert hosts.state(A, 50.0).trust is Trust.SUSPECTED
    assert hosts.may_start(A, 51.0)


def test_an_old_transfer_that_goes_on_does_not_keep_the_probe_away() -> None:
    hosts = Hosts(16, 16)
    hosts.started(A, 1)
    hosts.started(A, 2)
    hosts.failed(A, 1, 10.0)
    assert hosts.may_start(A, 11.0)


def test_a_failing_host_is_left_alone_for_a_minute_then_probed_by_one() -> None:
    hosts = Hosts(16, 16)
    now = fail_in_a_row(hosts, 5)
    state = hosts.state(A, now)
    assert state.trust is Trust.RESTING
    assert state.until == now + 60
    assert "5 failures in a row" in state.reason
    assert not hosts.may_start(A, now + 59)
    assert fill(hosts, A, now + 60, first=10) == 1


def test_the_rest_doubles_to_half_an_hour() -> None:
    hosts = Hosts(16, 16)
    now = fail_in_a_row(hosts, 5)
    rests = []
    for _ in range(7):
        until = hosts.state(A, now).until
        assert until is not None
        rests.append(until - now)
        now = fail_in_a_row(hosts, 1, now=until)
    assert rests == [60, 120, 240, 480, 960, 1800, 1800]


def test_a_rest_for_files_that_had_failed_before_is_theirs_alone() -> None:
    hosts = Hosts(16, 16)
    now = fail_in_a_row(hosts, 5, files=5, failing=True)
    assert hosts.state(A, now).trust is Trust.RESTING
    hosts.started(A, 99)
    hosts.released(A, 99)
    soon = now + LONGEST_SUSPICION
    assert not hosts.may_start(A, soon, failing=True)
    assert hosts.may_start(A, soon)
    assert hosts.index_opens_at(A) <= now
    hosts.started(A, 100)
    assert not hosts.may_start(A, soon), "one at a time"
    hosts.succeeded(A, 100)
    assert hosts.may_start(A, soon, failing=True)


def test_a_host_rests_for_all_when_two_fail_that_had_not_failed_before() -> None:
    hosts = Hosts(16, 16)
    now = fail_in_a_row(hosts, 5, files=5, failing=True)
    for file in (100, 101):
        now += LONGEST_SUSPICION
        assert hosts.may_start(A, now)
        hosts.started(A, file)
        hosts.failed(A, file, now)
    assert not hosts.may_start(A, now + LONGEST_SUSPICION)
    assert hosts.index_opens_at(A) == hosts.state(A, now).until


@pytest.mark.parametrize("probing", [False, True])
def test_what_fails_and_hangs_again_keeps_nothing_from_showing_that_the_host_works(probing: bool) -> None:
    hosts = Hosts(16, 16, probing=probing)
    now = fail_in_a_row(hosts, 2, failing=True) + LONGEST_SUSPICION
    hosts.started(A, 98, failing=True)
    assert not hosts.may_start(A, now, failing=True)
    assert fill(hosts, A, now, first=10) == 1, "one at a time"
    hosts.succeeded(A, 10)
    assert hosts.may_start(A, now)


def test_an_operator_ends_the_rests_that_the_host_did_not_ask_for() -> None:
    hosts = Hosts(16, 16)
    now = fail_in_a_row(hosts, 5)
    hosts.spare(B, now + 60)
    hosts.rest(C, now + 60)
    hosts.forgive()
    assert [fill(hosts, host, now) for host in (A, B, C)] == [1, 15, 0]
    assert [hosts.index_opens_at(host) > now for host in (A, B, C)] == [False, False, True]


def test_indexes_that_fail_keep_no_file() -> None:
    hosts = Hosts(16, 16)
    hosts.spare(A, 60.0)
    assert hosts.index_opens_at(A) == 60.0
    assert fill(hosts, A) == 16


def test_a_rest_goes_on_in_the_next_engine() -> None:
    failing, asking, silent = Hosts(16, 16), Hosts(16, 16), Hosts(16, 16)
    now = fail_in_a_row(failing, 5)
    asking.rest(A, now + 900)
    silent.spare(A, now + 60)
    for earlier in (failing, asking, silent):
        (state,) = earlier.resting(now).values()
        assert state.until is not None
        later = Hosts(16, 16)
        later.restore(A, state.until, state.reason)
        assert later.state(A, now) == state
        assert later.asked_for(A, now) == earlier.asked_for(A, now)
        assert later.may_start(A, state.until - 1, failing=True) is (earlier is silent)
        assert later.may_start(A, state.until - 1) is (earlier is not asking)
        assert fill(later, A, state.until) == (1 if earlier is failing else 16)


def test_a_success_ends_the_rest_and_starts_the_count_anew() -> None:
    hosts = Hosts(16, 16)
    hosts.started(A, 99)
    now = fail_in_a_row(hosts, 5)
    hosts.succeeded(A, 99)
    assert hosts.may_start(A, now)
    now = fail_in_a_row(hosts, 5, now=now, first=10)
    assert hosts.state(A, now).until == now + 60


def test_a_single_bad_file_does_not_close_its_host() -> None:
    hosts = Hosts(16, 16)
    now = fail_in_a_row(hosts, 9, files=1)
    assert hosts.state(A, now).trust is Trust.SUSPECTED


def test_a_stopped_transfer_gives_its_slot_back_and_tells_nothing() -> None:
    hosts = Hosts(1, 1)
    hosts.started(A, 1)
    hosts.failed(A, 1, 0.0)
    hosts.started(A, 2)
    hosts.released(A, 2)
    assert hosts.may_start(A, 1.0)
    assert hosts.state(A, 1.0).trust is Trust.SUSPECTED


def test_a_host_is_trusted_while_all_is_well() -> None:
    hosts = Hosts(16, 16)
    hosts.started(A, 1)
    assert hosts.state(A, 0.0).trust is Trust.TRUSTED
    assert hosts.state(A, 0.0).running == 1


def test_a_host_that_has_not_answered_yet_gets_one_slot_and_the_others_all_the_rest() -> None:
    hosts = Hosts(16, 16, probing=True)
    for host in (A, B, C):
        hosts.wants(host, 1000)
    assert [fill(hosts, host) for host in (A, B, C)] == [1, 1, 1]
    hosts.succeeded(B, 0)
    hosts.heard(C)
    assert fill(hosts, B, first=10) + fill(hosts, C, first=100) == 15, "all sixteen, but for the one that C had before"
    assert hosts.state(A, 0.0).running == 1


def test_a_host_that_failed_has_to_answer_anew() -> None:
    hosts = Hosts(16, 16, probing=True)
    hosts.heard(A)
    hosts.started(A, 1)
    hosts.failed(A, 1, 0.0)
    assert fill(hosts, A, 1.0, first=10) == 1
    hosts.succeeded(A, 10)
    assert fill(hosts, A, 1.0, first=20) == 16


def test_what_a_host_asked_for_is_known_apart_from_rests_of_our_own_making() -> None:
    hosts = Hosts(16, 16)
    hosts.spare("a", 160.0)
    assert (hosts.asked_for("a", 100.0), hosts.state("a", 100.0).reason) == (0.0, "one index after the other failed")
    hosts.rest("a", 400.0)
    assert (hosts.asked_for("a", 100.0), hosts.state("a", 100.0).reason) == (300.0, "the server asked to be left alone")
    assert not hosts.may_start("a", 399.0)
    assert hosts.may_start("a", 400.0)


def test_a_host_that_comes_late_is_not_kept_out_by_one_that_has_all_slots() -> None:
    hosts = Hosts(16, 16, probing=True)
    for host in (A, B, C):
        hosts.heard(host)
    assert fill(hosts, A) == 16
    for host in (A, B, C):
        hosts.wants(host, 1000)
    assert fill(hosts, B) == 1
    assert fill(hosts, C) == 0, "one at a time"
    hosts.succeeded(B, 0)
    assert fill(hosts, C) == 1
    for number in range(8):
        hosts.succeeded(A, number)
    assert [fill(hosts, host, first=10) for host in (A, B, C)] == [0, 5, 2], "sixteen, with the nine that run"


def test_nothing_is_added_where_every_host_has_its_share() -> None:
    hosts = Hosts(2, 2, probing=True)
    for host in (A, B, C):
        hosts.heard(host)
        hosts.wants(host, 10)
    assert [fill(hosts, host) for host in (A, B, C)] == [1, 1, 0]


def test_a_host_that_rests_for_what_failed_has_its_share_for_what_is_new() -> None:
    hosts = Hosts(4, 4, probing=True)
    for host in (A, B):
        hosts.heard(host)
    now = fail_in_a_row(hosts, 5, files=5, failing=True) + LONGEST_SUSPICION
    hosts.wants(A, 10, failing=True)
    hosts.wants(B, 10)
    assert fill(hosts, B, now) == 4, "A may start nothing"
    hosts.wants(A, 10, failing=False)
    assert fill(hosts, A, now, first=50) == 1, "to show whether it works"
