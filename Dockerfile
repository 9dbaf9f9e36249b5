# Scores folders and runs the package's commands, as a user without rights:
#     docker build -t illus .
#     docker run --rm --network none -v "$PWD/test:/test:ro" illus evaluate.py /test weights/best.h5
FROM python:3.13-slim
WORKDIR /illus
COPY requirements.lock .
RUN python -m pip install --no-cache-dir --require-hashes -r requirements.lock
COPY . .
RUN useradd --no-create-home illus && chown illus .
USER illus
# Libraries keep their settings below HOME; also where `docker run --user` names another user.
ENV HOME=/tmp TF_CPP_MIN_LOG_LEVEL=3
ENTRYPOINT ["python"]
CMD ["evaluate.py", "--help"]
