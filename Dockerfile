# LiverSeg for the CPU: `liverseg` with its base packages (OpenVINO; no PyTorch) and the bundled models.
# docs/container.md says how it is built and run. The versions are those of constraints.txt.

FROM python:3.11-slim-bookworm AS build

WORKDIR /src
COPY constraints.txt pyproject.toml README.md CHANGELOG.md LICENSE NOTICE ./
COPY LiverSegLib LiverSegLib
COPY Resources/Models Resources/Models
COPY Resources/Recipes Resources/Recipes

# [server], [cohort], [dicom] or several: [server,cohort]
ARG EXTRAS=""
# also for what builds the package
ENV PIP_CONSTRAINT=/src/constraints.txt

# pillow draws the report. openvino-telemetry would report each use of OpenVINO, and nothing else needs it;
# nor does anything need pip once all is there.
RUN python -m venv /opt/liverseg \
    && /opt/liverseg/bin/pip install --no-cache-dir ".${EXTRAS}" pillow \
    && /opt/liverseg/bin/pip uninstall --yes openvino-telemetry setuptools pip \
    && /opt/liverseg/bin/liverseg --version

FROM python:3.11-slim-bookworm

COPY --from=build /opt/liverseg /opt/liverseg
COPY LICENSE NOTICE /opt/liverseg/

RUN useradd --create-home --uid 1000 liverseg \
    && mkdir /models /data \
    && chown liverseg:liverseg /models /data

ENV PATH=/opt/liverseg/bin:$PATH \
    LIVERSEG_MODELS=/models \
    PYTHONUNBUFFERED=1

USER 1000
WORKDIR /data

ENTRYPOINT ["liverseg"]
CMD ["--help"]
