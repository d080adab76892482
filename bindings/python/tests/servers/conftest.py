import net
import pytest


@pytest.fixture(scope="session")
def inside():
    """The command that runs another command at the other end of the two paths."""
    with net.two_paths() as command:
        yield command
