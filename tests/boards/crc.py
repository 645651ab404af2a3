"""CRC-32 bit by bit, as the catalogue of parametrised CRC algorithms defines CRC-32/ISO-HDLC; its check value is in the tests."""


def crc32(data: bytes) -> int:
    """Reflected polynomial 0x04C11DB7, register and result inverted."""
    register = 0xFFFFFFFF
    for byte in data:
        for i in range(8):
            bit = (register ^ byte >> i) & 1
            register = register >> 1 ^ (0xEDB88320 if bit else 0)
    return register ^ 0xFFFFFFFF
