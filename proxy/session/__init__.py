"""One client connection: joins wire, sql and crypto; free of sockets."""
