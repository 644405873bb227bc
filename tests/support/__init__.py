"""What several test areas share: real servers, fresh databases."""
