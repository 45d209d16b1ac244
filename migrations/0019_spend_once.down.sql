DROP FUNCTION book_spend;
DROP FUNCTION hold_spend;
