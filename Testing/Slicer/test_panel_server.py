"""Compute on a server: chosen in Advanced, said plainly by Segment, and here if the server fails."""

import logic_doubles
import numpy as np
import pytest
from logic_doubles import addVolume, command

pytest_plugins = ["panel_fixtures"]

ADDRESS, TOKEN = "https://gpu.example.org:8765", "a-token-of-the-tests-0123456789"


def choose(hand, chosen):
    """Choose in Advanced what computes."""
    box = hand.widget("deviceSelector")
    box.setCurrentIndex(box.findData(chosen))
    hand.settle()


@pytest.fixture
def server(hand, scan):
    """A panel in which a server was chosen, with its address and token."""
    hand.open("advancedSection")
    choose(hand, "server")
    hand.widget("serverAddressEdit").setText(ADDRESS)
    hand.widget("serverTokenEdit").setText(TOKEN)
    hand.settle()
    return hand


class TestChoice:
    def test_this_computer_computes_until_somebody_chooses_a_server(self, hand, scan):
        hand.open("advancedSection")
        assert not hand.seen("serverAddressEdit") and not hand.seen("sendingLabel")
        hand.segment()
        assert hand.logic.options[-1].get("server") is None

    def test_a_chosen_server_gets_address_and_token_and_the_panel_says_that_the_scan_is_sent(self, server):
        assert server.seen("serverAddressEdit") and ADDRESS in server.text("sendingLabel")
        assert "no names" in server.text("sendingLabel")
        server.segment()
        sent = server.logic.options[-1]["server"]
        assert (sent.url, sent.token, sent.authority) == (ADDRESS, TOKEN, None)
        choose(server, "cpu")
        assert not server.seen("serverAddressEdit") and not server.seen("sendingLabel")
        server.segment()
        assert server.logic.options[-1].get("server") is None and server.logic.options[-1]["device"] == "cpu"

    def test_the_choice_is_of_this_computer_and_never_of_the_scene(self, server, host, tmp_path):
        import qt
        import slicer

        assert qt.QSettings().value("LiverSeg/ServerAddress") == ADDRESS
        assert qt.QSettings().value("LiverSeg/ServerToken") == TOKEN
        assert server.panel.parameters.device == "auto"
        texts = [
            node.GetParameter(name)
            for node in slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode")
            for name in node.GetParameterNames()
        ]
        assert not [text for text in texts if ADDRESS in text or TOKEN in text or text == "server"]

    def test_a_server_needs_no_engine_here(self, hand, scan, monkeypatch):
        from LiverSegSlicer.work.engines import EngineState

        hand.logic.engine = EngineState("missing", None, "None.", "An engine is needed.")
        hand.panel._engine.look()
        hand.panel._draw()
        assert not hand.enabled("segmentButton")
        hand.open("advancedSection")
        choose(hand, "server")
        assert hand.enabled("segmentButton")

    def test_the_token_is_not_to_be_read_over_the_shoulder(self, server):
        from PySide6 import QtWidgets

        assert server.widget("serverTokenEdit").echoMode() == QtWidgets.QLineEdit.Password


class TestFailure:
    def test_a_dead_server_is_told_and_the_scan_can_be_segmented_here(self, server):
        from LiverSegLib.errors import ServerError
        from LiverSegLib.sentences import Sentence

        server.click("segmentButton")
        text = Sentence("server.unreachable", address=ADDRESS, reason="it does not answer")
        server.logic.run.finish(ServerError(text))
        server.settle()
        assert "cannot be reached" in server.text("messageLabel") and server.seen("messageRunHereButton")
        server.click("messageRunHereButton")
        assert server.logic.options[-1].get("server") is None
        server.logic.run.finish()
        server.settle()
        assert not server.seen("messageRunHereButton") and server.panel.parameters.segmentation is not None

    def test_what_fails_for_another_reason_offers_nothing(self, server):
        from LiverSegLib.errors import NoLiverError

        server.click("segmentButton")
        server.logic.run.finish(NoLiverError("No liver."))
        server.settle()
        assert not server.seen("messageRunHereButton")


class TestTest:
    def test_the_connection_can_be_tested_once_there_is_an_address(self, server):
        server.widget("serverAddressEdit").setText("")
        server.settle()
        assert not server.enabled("serverTestButton") and "address first" in server.tip("serverTestButton")
        server.widget("serverAddressEdit").setText(ADDRESS)
        server.settle()
        server.click("serverTestButton")
        assert server.logic.tested.url == ADDRESS
        server.logic.run.finish()
        server.settle()
        assert "LiverSeg 9.9.9; 1 of at most 16 runs" in server.text("messageLabel")


class TestLogic:
    """On the stand-in, with the real worker process and a real server on loopback."""

    @pytest.fixture
    def remote(self, host, scene, tmp_path):
        from server_fixtures import running

        from LiverSegSlicer.logic import Logic
        from LiverSegSlicer.work.worker_process import WorkerProcess

        worker = WorkerProcess(command())
        with running(tmp_path) as found:
            yield Logic(worker), found
        worker.quit()

    def test_a_run_on_a_server_ends_as_one_here(self, host, remote):
        from LiverSegSlicer.scene.parts import summaryOf

        logic, server = remote
        volumeNode, told = addVolume("Doe Jane"), []
        here = logic.segment(volumeNode, replaceUntouched=False)
        there = logic.segment(
            volumeNode,
            lambda fraction, text: told.append(text),
            server=server.address,
            replaceUntouched=False,
        )
        labels = [self.labels(node, volumeNode) for node in (here, there)]
        assert np.array_equal(*labels) and labels[0].any()
        assert summaryOf(there)["provenance"]["server"] == server.address.url
        assert summaryOf(there)["name"] == "Doe Jane"
        assert "Fetching the result from the server" in told
        assert server.service.metrics.ends["done"] == 1
        assert logic_doubles.leftFiles(logic.worker) == set()

    def test_a_dead_server_gives_a_sentence_and_the_test_of_the_connection_too(self, host, remote):
        from logic_doubles import Ending

        from LiverSegLib.errors import ServerError
        from LiverSegLib.worker.server_messages import ServerAddress

        logic, server = remote
        ending = Ending()
        logic.testServerAsync(server.address, completed=ending)
        host.waitFor(ending.happened)
        answer, error = ending.only()
        assert error is None and "default" in answer.models
        dead = ServerAddress("http://127.0.0.1:9", "x")
        with pytest.raises(ServerError, match="cannot be reached"):
            logic.segment(addVolume(), server=dead)
        ending = Ending()
        logic.testServerAsync(ServerAddress(server.address.url, "wrong"), completed=ending)
        host.waitFor(ending.happened)
        assert "does not accept the token" in str(ending.only()[1])

    @staticmethod
    def labels(segmentationNode, volumeNode):
        from LiverSegSlicer.scene import segments

        return segments.labelsOf(segmentationNode, volumeNode)
