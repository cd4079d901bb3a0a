# One image for the roles api, detect and work; the command chooses which.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/recoup
COPY requirements.lock ./
RUN /opt/recoup/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY . .
RUN /opt/recoup/bin/pip install --no-cache-dir --no-deps .

FROM python:3.11-slim-bookworm
RUN useradd --system --create-home --uid 10001 recoup && install -d -o recoup /data
COPY --from=build /opt/recoup /opt/recoup
USER recoup
WORKDIR /data
ENV PATH=/opt/recoup/bin:$PATH \
    RECOUP_DATA_DIR=/data \
    RECOUP_HOST=0.0.0.0 \
    RECOUP_LOG_FORMAT=json
EXPOSE 8787
ENTRYPOINT ["recoup"]
CMD ["api"]
