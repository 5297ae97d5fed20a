"""Processes, timers, settings and other things of Qt by PythonQt's rules, and the meter of the event loop."""

import sys
import time

import pytest

pytestmark = pytest.mark.slow  # of the stand-in itself, which changes seldom


def test_a_process_is_read_line_by_line_with_integers_in_its_signals(host):
    import qt

    seen = []
    process = qt.QProcess()
    process.connect("readyReadStandardOutput()", lambda: seen.append(process.readAllStandardOutput().data()))
    process.connect("finished(int,QProcess::ExitStatus)", lambda code, status: seen.append((code, status)))
    process.start(sys.executable, ["-c", "print(input() + '!', flush=True)"])
    assert process.write(b"hello\n") == 6
    host.waitFor(lambda: len(seen) == 2)
    assert seen == [b"hello!\n", (0, qt.QProcess.NormalExit)]
    assert process.state() == qt.QProcess.NotRunning


def test_a_killed_process_reports_an_error_and_its_end(host):
    import qt

    seen = []
    process = qt.QProcess()
    process.connect("errorOccurred(QProcess::ProcessError)", lambda error: seen.append(("error", error)))
    process.connect(
        "finished(int,QProcess::ExitStatus)", lambda code, status: seen.append(("finished", status))
    )
    process.start(sys.executable, ["-c", "import time; time.sleep(60)"])
    assert process.waitForStarted(5000)
    process.kill()
    host.waitFor(lambda: len(seen) == 2)
    assert seen == [("error", qt.QProcess.Crashed), ("finished", qt.QProcess.CrashExit)]


def test_a_process_is_read_without_an_event_loop(host):
    import qt

    process = qt.QProcess()
    process.start(sys.executable, ["-c", "print('ready')"])
    text = b""
    for _ in range(100):
        process.waitForReadyRead(100)
        text += process.readAllStandardOutput().data()
        if text.endswith(b"\n"):
            break
    assert text == b"ready\n"


def test_timers_fire_once_or_again(host):
    import qt

    seen = []
    qt.QTimer.singleShot(1, lambda: seen.append("shot"))
    timer = qt.QTimer()
    timer.setInterval(1)
    timer.connect("timeout()", lambda: seen.append("tick"))
    timer.start()
    host.waitFor(lambda: seen.count("tick") >= 3)
    timer.stop()
    assert seen.count("shot") == 1 and not timer.active


def test_settings_stay_in_the_session(host, monkeypatch):
    import qt
    import slicer

    qt.QSettings().setValue("LiverSeg/idleMinutes", 7)
    assert slicer.util.settingsValue("LiverSeg/idleMinutes", 3, converter=int) == 7
    assert slicer.app.settings().value("LiverSeg/idleMinutes") == 7
    assert qt.QSettings().fileName().startswith(slicer.app.temporaryPath)


def test_urls_are_noted_and_not_opened(host):
    import qt

    assert qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile("/data/report.html"))
    assert host.opened_urls == ["file:///data/report.html"]


def test_dialogs_are_answered_as_the_test_says(host, window):
    import qt
    import slicer

    host.answers.expect("Replace", qt.QMessageBox.Yes)
    host.answers.expect("Install", qt.QMessageBox.Cancel)
    host.answers.expect("Folder of the report", "/data/out")
    host.answers.expect("it broke", qt.QMessageBox.Ok)
    assert slicer.util.confirmYesNoDisplay("Replace the segmentation?")
    assert not slicer.util.confirmOkCancelDisplay("Install PyTorch?")
    assert qt.QFileDialog.getExistingDirectory(None, "Folder of the report") == "/data/out"
    with pytest.raises(RuntimeError):
        with slicer.util.tryWithErrorDisplay("Sorry:"):
            raise RuntimeError("it broke")
    assert len(host.answers.asked) == 4


def test_the_meter_sees_a_blocked_event_loop(host):
    import qt

    with host.GapMeter() as meter:
        host.settle(0.2)
    quiet = meter.longest
    with host.GapMeter() as meter:
        qt.QTimer.singleShot(10, lambda: time.sleep(0.25))
        host.settle(0.4)
    assert quiet < 0.15 < 0.24 < meter.longest


def test_about_to_quit_can_be_connected(host):
    import slicer

    assert slicer.app.connect("aboutToQuit()", print)
    assert slicer.app.disconnect("aboutToQuit()", print)
