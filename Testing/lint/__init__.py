"""A lint for the Slicer module: what real Slicer would refuse, found without Slicer.

    python Testing/lint [PATH ...]

Reads the module's .py and .ui files and holds them against the names, properties, signals and slots of Slicer
5.8.1, 5.10.0 and 5.12.3. Each finding is one line, ``file:line: code: message``; the exit status is 1 if
there is any.

| Code | Meaning |
|---|---|
| name | a name that qt, ctk, slicer, vtk or slicer.util lacks in a release, or a file of ours lacks |
| member | an attribute that the class of the object does not have |
| property | a property called like a method, or something else than a property assigned |
| signal | a signal or slot that does not exist, in connect("...") or in a .ui file |
| keyword | a keyword that a function of slicer.util does not take |
| ui | a widget, property or parameter name that does not exist; self.ui.x without such a widget |
| import | an import at file scope that is slow or not bundled with Slicer; torch and the network anywhere |
| effect | code that does something when its file is loaded |
| python39 | syntax or a library function newer than Python 3.9 |
| untranslated | a text for the user that does not pass through _() |
| thread | threads and processes of Python's own, which starve in Slicer |
| subclass | a subclass of a Qt class, which PythonQt does not support |
| dialog | a modal dialog: messages stand in the panel |
| blocking | a call that stops the event loop |
| reentry | processEvents, which runs other slots in between |
| length | a file longer than 400 lines |
| allow | a comment ``# lint: allow CODE reason`` without a reason, or that allows nothing |

A comment ``# lint: allow CODE reason`` on the line, or alone on the line above, lets one finding pass.
"""
