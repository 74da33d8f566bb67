"""Upstream's sender and receivers of notifications, on a broker.

  VENV/bin/python broker.py send CONFIG EVENT PAYLOAD        sends with Glance's notifier, which reads that configuration
  VENV/bin/python broker.py get URL QUEUE                    takes all messages from a queue, as they are
  VENV/bin/python broker.py listen URL COUNT [OPTION=VALUE]  receives that many notifications with oslo.messaging

URL is a transport_url; an OPTION is one of [oslo_messaging_rabbit]. `get` prints a line of JSON for each message: its
properties, where it was published, and its body; `listen` one for each notification, in the order of
their times: its priority, context, publisher, type and payload.
"""
import json
import sys
import threading

LIMIT = 60


def send(config, event, payload):
    from oslo_config import cfg
    from glance import notifier

    cfg.CONF(["--config-file", config], project="glance")
    notifier.set_defaults()
    method = "error" if isinstance(json.loads(payload), str) else "info"
    getattr(notifier.Notifier(), method)(event, json.loads(payload))


def get(url, queue):
    import kombu

    with kombu.Connection(url.replace("rabbit://", "amqp://", 1)) as connection:
        channel = connection.channel()
        while (message := channel.basic_get(queue, no_ack=True)) is not None:
            delivery = {name: message.delivery_info[name] for name in ("exchange", "routing_key")}
            print(json.dumps([message.properties, delivery, message.body.decode()
                              if isinstance(message.body, bytes) else message.body]))


def listen(url, count, *options):
    from oslo_config import cfg
    import oslo_messaging

    received, lock = [], threading.Lock()
    done = threading.Event()

    class Endpoint:
        def info(self, context, publisher, event, payload, metadata):
            self.receive(metadata, "info", context, publisher, event, payload)

        def error(self, context, publisher, event, payload, metadata):
            self.receive(metadata, "error", context, publisher, event, payload)

        def receive(self, metadata, *notification):
            # Several threads call this.
            with lock:
                received.append((metadata["timestamp"], notification))
                if len(received) == int(count):
                    done.set()

    conf = cfg.ConfigOpts()
    conf([], project="listener")
    transport = oslo_messaging.get_notification_transport(conf, url=url)
    for option in options:
        name, value = option.split("=", 1)
        conf.set_override(name, value == "true" if value in ("true", "false") else value, group="oslo_messaging_rabbit")
    target = oslo_messaging.Target(topic="notifications", exchange="glance")
    listener = oslo_messaging.get_notification_listener(transport, [target], [Endpoint()], executor="threading")
    listener.start()
    is_complete = done.wait(LIMIT)
    listener.stop()
    listener.wait()
    transport.cleanup()
    for _, notification in sorted(received, key=lambda one: one[0]):
        print(json.dumps(notification))
    if not is_complete:
        sys.exit(f"{len(received)} of {count} notifications were received")


if __name__ == "__main__":
    {"send": send, "get": get, "listen": listen}[sys.argv[1]](*sys.argv[2:])
