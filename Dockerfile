# An image that holds the bundle of foo and nothing else: no shell, no libraries of a distribution, no package manager.
#
#	docker build -t foo .
#	docker run --rm -p 4040:4040 -v foo-data:/data foo
#	docker run --rm foo eval 'return release.version'
FROM debian:12 AS build
COPY tools/packages /src/tools/
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(sed -n 's/^build  *\([^ ]*\).*/\1/p' /src/tools/packages) \
 && rm -rf /var/lib/apt/lists/*
COPY . /src
WORKDIR /src
RUN cmake --preset release \
 && cmake --build --preset release \
 && _build/release/bin/kvrel build foo --path /image/foo \
 && install -d -o 65532 -g 65532 /image/data /image/tmp

FROM scratch
COPY --from=build /image/ /
USER 65532:65532
ENV RELEASE_DATA=/data RELEASE_TMP=/tmp
VOLUME /data
EXPOSE 4040
STOPSIGNAL SIGTERM
ENTRYPOINT ["/foo/bin/foo"]
CMD ["start"]
