"""A LiverSeg for several computers: the worker's messages over HTTPS, and the way to such a server.

The server (``liverseg serve``): ``listen`` opens the port, ``access`` says who comes in, ``app`` has the
pages, ``service`` the runs from upload to reply, ``fair_queue`` their order, ``warm_worker`` the one child
process that computes. The way there: ``client`` speaks HTTP, ``remote`` is a segmenter that lets a server
compute. ``python -m LiverSegLib.server`` is the worker of Slicer, which may do so.

Beside ``dicomweb`` this is the only room that opens a connection, and it does when a user says so.
"""
